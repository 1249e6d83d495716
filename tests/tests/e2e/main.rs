//! Everything on a real Kubernetes: kubelet, containerd, kube-proxy, DNS, the images as they are shipped. `make e2e`.
//!
//! Tests run one after the other on one cluster; each has a namespace of its own, or recreates the one that it shares.

mod bad_input;
mod documented;
mod following;
mod gitops;
mod images;
mod install;
mod live_changes;
mod load;
mod managed;
mod memory;
mod network;
mod node;
mod outages;
mod ownership;
mod pods;
mod postgres;
mod restricted;
mod routing_policy;
mod setup;
mod smoke;
mod standalone;
mod timing;
mod tunnel;
mod under_load;
