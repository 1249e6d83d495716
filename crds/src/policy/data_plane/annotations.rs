//! Annotations of pods that a policy must not have.

/// Ends of the domains of annotations that are settings of container runtimes and of their plugins (NRI): confinement,
/// devices and mounts.
pub const RESERVED_DOMAINS: [&str; 4] = ["cri-o.io", "crio.io", "nri.io", "noderesource.dev"];

/// How annotations begin that are known to take a pod's confinement away, or to give it volumes, networks, devices or an
/// identity: the pods keep the restricted security context.
pub const RESERVED: [&str; 19] = [
    // AppArmor and seccomp, as they were set before the security context had fields for them.
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/",
    // Networks and addresses: Multus, OVN-Kubernetes, Kube-OVN, Calico, Cilium, GKE.
    "k8s.v1.cni.cncf.io/",
    "v1.multus-cni.io/",
    "k8s.ovn.org/",
    "ovn.kubernetes.io/",
    "cni.projectcalico.org/",
    "egress.projectcalico.org/",
    "ipam.cilium.io/",
    "networking.gke.io/",
    // Devices, and settings of container runtimes: CDI, CRI-O, Kata Containers, crun, runc.
    "cdi.k8s.io/",
    "io.kubernetes.cri-o.",
    "io.katacontainers.",
    "run.oci.",
    "org.systemd.property.",
    // Volumes and image of a sidecar (Istio), an identity in a cloud (kube2iam, kiam).
    "sidecar.istio.io/userVolume",
    "sidecar.istio.io/proxyImage",
    "iam.amazonaws.com/",
];

/// Whether an annotation is one of [`RESERVED`], or of [`RESERVED_DOMAINS`].
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    let domain = name.split('/').next().unwrap_or_default();
    let is_below = |end: &str| domain.strip_suffix(end).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'));
    RESERVED.iter().any(|prefix| name.starts_with(prefix)) || RESERVED_DOMAINS.iter().any(|end| is_below(end))
}

/// The rule that none is reserved, in CEL.
pub(super) fn none_is_reserved() -> String {
    let begins = RESERVED.map(|prefix| format!("name.startsWith('{prefix}')"));
    let ends = RESERVED_DOMAINS.map(|end| format!("('.' + name.split('/')[0]).endsWith('.{end}')"));
    format!("self.all(name, !({} || {}))", begins.join(" || "), ends.join(" || "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_of_runtimes_are_reserved_by_their_domain_with_and_without_a_name() {
        for name in [
            "mounts.noderesource.dev/container.routing",
            "cdi-devices.nri.io/pod",
            "devices.nri.io",
            "seccomp-profile.kubernetes.cri-o.io",
            "seccomp-profile.crio.io/POD",
            "userns-mode.crio.io",
            "io.kubernetes.cri-o.userns-mode",
            "sidecar.istio.io/userVolumeMount",
            "iam.amazonaws.com/role",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        for name in
            ["sidecar.istio.io/inject", "example.com/nri.io", "mycrio.io/x", "prometheus.io/scrape", "nri.io.example/x"]
        {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
