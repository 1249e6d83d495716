//! Annotations of pods that a policy must not have.

/// How annotations begin that take a pod's confinement away, or give it networks or devices: the pods keep the
/// restricted security context.
pub const RESERVED: [&str; 15] = [
    // AppArmor and seccomp, as they were set before the security context had fields for them.
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/",
    // Networks and addresses: Multus, OVN-Kubernetes, Kube-OVN, Calico.
    "k8s.v1.cni.cncf.io/",
    "v1.multus-cni.io/",
    "k8s.ovn.org/",
    "ovn.kubernetes.io/",
    "cni.projectcalico.org/",
    // Devices, and settings of container runtimes: CDI, CRI-O, Kata Containers, crun, runc.
    "cdi.k8s.io/",
    "io.kubernetes.cri-o.",
    "io.katacontainers.",
    "run.oci.",
    "org.systemd.property.",
    // Devices and mounts that plugins of container runtimes (NRI) add.
    "devices.nri.io/",
    "mounts.nri.io/",
];

/// Whether an annotation is one of [`RESERVED`].
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|prefix| name.starts_with(prefix))
}

/// The rule that none is reserved, in CEL.
pub(super) fn none_is_reserved() -> String {
    let reserved = RESERVED.map(|prefix| format!("name.startsWith('{prefix}')")).join(" || ");
    format!("self.all(name, !({reserved}))")
}
