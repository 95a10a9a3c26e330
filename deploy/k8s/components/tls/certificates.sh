#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An authority and the two certificates it signs, as the two secrets that this component needs, on
# standard output. For clusters on a laptop; elsewhere cert-manager makes the same: README.md.
#
#   deploy/k8s/components/tls/certificates.sh [DAYS] | kubectl --context CONTEXT apply -f -
#
# The namespace abacus must be there. Every call makes a new authority, so restart all three after.
set -euo pipefail
days=${1:-365}
if [[ ! $days =~ ^[1-9][0-9]{0,3}$ ]]; then
    echo "certificates.sh: \"$days\" is no number of days" >&2
    exit 2
fi
new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes) # PKCS 8, which is what Kafka reads
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

openssl_quietly() { # ARGUMENT...: what it says is shown only if it fails
    openssl "$@" 2>"$folder/log" || { cat "$folder/log" >&2 && exit 1; }
}

authority() {
    openssl_quietly req -x509 "${new_key[@]}" -days "$days" -subj /CN=abacus-kafka-ca \
        -keyout "$folder/ca.key" -out "$folder/ca.crt" -addext keyUsage=critical,keyCertSign,cRLSign
}

certificate() { # NAME SUBJECT EXTENSION...
    local name=$1 subject=$2
    shift 2
    openssl_quietly req "${new_key[@]}" -subj "$subject" -keyout "$folder/$name.key" \
        -out "$folder/$name.csr"
    openssl_quietly x509 -req -in "$folder/$name.csr" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" \
        -CAcreateserial -days "$days" -out "$folder/$name.crt" -extfile <(printf '%s\n' "$@")
}

encoded() { base64 --wrap 0 "$@"; }

secret() { # NAME CERTIFICATE
    cat <<END
---
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata:
  name: $1
  namespace: abacus
  labels:
    app.kubernetes.io/part-of: abacus
data:
  ca.crt: $(encoded "$folder/ca.crt")
  tls.crt: $(encoded "$folder/$2.crt")
  tls.key: $(encoded "$folder/$2.key")
  tls-combined.pem: $(cat "$folder/$2.key" "$folder/$2.crt" | encoded)
END
}

authority
certificate kafka /CN=kafka extendedKeyUsage=serverAuth,clientAuth \
    subjectAltName=DNS:kafka,DNS:kafka.abacus,DNS:kafka.abacus.svc
certificate client /CN=abacus extendedKeyUsage=clientAuth
secret kafka-tls kafka
secret kafka-client-tls client
