//! The real program on a machine whose clock on the wall jumps: in a process of its own, as a clock is a process's.

use tests::{control_plane::ControlPlane, required, supervised::Supervised, wall_clock::WallClock};

use super::operated::arguments;

/// An operator with a clock of its own; it is killed when this is dropped.
pub struct OwnClock {
    // First, so that it ends before its clock goes.
    _process: Supervised,
    clock: WallClock,
}

impl OwnClock {
    /// Starts the operator of a namespace.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(plane: &ControlPlane, namespace: &str) -> Self {
        let (clock, folder) = (WallClock::new(), plane.folder());
        let mut command = vec![required("ROUTING_OPERATOR_BIN").display().to_string()];
        command.extend(arguments(namespace, "first", false));
        let kubeconfig = folder.join("admin.kubeconfig").display().to_string();
        let mut variables = vec![("KUBECONFIG".to_string(), kubeconfig)];
        variables.extend(clock.variables());
        Self { _process: Supervised::start(namespace, &command, &variables, folder), clock }
    }

    /// How much its clock differs from the machine's, in seconds with a sign.
    pub fn set(&self, offset: &str) {
        self.clock.set(offset);
    }
}
