//! Whether one end of a connection is a peer of a rule.

use std::{collections::BTreeMap, net::IpAddr};

use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicyPeer};

use super::{End, Labels, selector};

/// A block matches by address only, selectors match pods only. Without a namespace selector only pods of the policy's
/// own namespace match; without a pod selector all pods do.
pub(super) fn matches(
    peer: &NetworkPolicyPeer,
    own_namespace: &str,
    end: &End<'_>,
    namespaces: &BTreeMap<String, Labels>,
) -> bool {
    if let Some(block) = &peer.ip_block {
        return is_in(block, end.address);
    }
    let Some(pod) = end.pod else { return false };
    let none = Labels::new();
    let labels = namespaces.get(&pod.namespace).unwrap_or(&none);
    let is_namespace = match &peer.namespace_selector {
        Some(selector) => selector::matches(selector, labels),
        None => pod.namespace == own_namespace,
    };
    is_namespace && peer.pod_selector.as_ref().is_none_or(|selector| selector::matches(selector, &pod.labels))
}

fn is_in(block: &IPBlock, address: IpAddr) -> bool {
    let except = block.except.as_deref().unwrap_or_default();
    contains(&block.cidr, address) && !except.iter().any(|cidr| contains(cidr, address))
}

fn contains(cidr: &str, address: IpAddr) -> bool {
    let parsed = cidr.split_once('/').and_then(|(network, length)| Some((network.parse().ok()?, length.parse().ok()?)));
    let (network, length): (IpAddr, u32) = parsed.unwrap_or_else(|| panic!("{cidr} is not a block such as 10.0.0.0/8"));
    match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= length,
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() >= length,
        _ => false,
    }
}
