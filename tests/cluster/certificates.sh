# The cluster's certificates, which one authority signs, and the kubeconfigs of the API server's clients: sourced.
# shellcheck shell=bash disable=SC2154 # settings are of env.sh

# sign NAME SUBJECT EXTENSION… -- [OPTION…]: makes NAME.key and NAME.crt, unless there; options are those of `openssl req`.
sign() {
    local name=$1 subject=$2 extensions=()
    shift 2
    while [ "$1" != -- ]; do extensions+=("$1"); shift; done
    shift
    if [ -e "$pki/$name.crt" ]; then return; fi
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 365 -subj "$subject" -extensions v3 \
        -config <(printf '%s\n' '[req]' distinguished_name=none '[none]' '[v3]' "${extensions[@]}") "$@" \
        -keyout "$pki/$name.key" -out "$pki/$name.new" 2>>"$state/log/openssl.log"
    mv "$pki/$name.new" "$pki/$name.crt"
}

# certificate NAME SUBJECT [ALTERNATIVE NAMES]
certificate() {
    sign "$1" "$2" basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature extendedKeyUsage=clientAuth,serverAuth \
        ${3:+"subjectAltName=$3"} -- -CA "$pki/ca.crt" -CAkey "$pki/ca.key"
}

# kubeconfig NAME: makes that of the client with the certificate of that name.
kubeconfig() {
    if [ -e "$state/$1.kubeconfig" ]; then return; fi
    cat >"$state/$1.kubeconfig.new" <<END
apiVersion: v1
kind: Config
current-context: routing
contexts: [{name: routing, context: {cluster: routing, user: $1}}]
clusters:
- name: routing
  cluster:
    server: https://$node_address:$api_port
    certificate-authority-data: $(base64 --wrap 0 "$pki/ca.crt")
users:
- name: $1
  user:
    client-certificate-data: $(base64 --wrap 0 "$pki/$1.crt")
    client-key-data: $(base64 --wrap 0 "$pki/$1.key")
END
    mv "$state/$1.kubeconfig.new" "$state/$1.kubeconfig"
}

certificates() {
    local name api=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
    umask 077
    sign ca /CN=routing-cluster basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign --
    certificate service-accounts /CN=service-accounts # only its key is used
    certificate apiserver /CN=kube-apiserver "$api,DNS:localhost,IP:127.0.0.1,IP:$api_service,IP:$node_address"
    certificate apiserver-kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
    certificate kubelet "/O=system:nodes/CN=system:node:$node" "DNS:$node,IP:$node_address"
    certificate controllers /CN=system:kube-controller-manager
    certificate scheduler /CN=system:kube-scheduler
    certificate proxy /CN=system:kube-proxy
    certificate admin /O=system:masters/CN=admin
    for name in kubelet controllers scheduler proxy admin; do kubeconfig $name; done
    umask 022
}
