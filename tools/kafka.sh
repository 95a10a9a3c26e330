#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real Apache Kafka on this machine: one node that is broker and controller (KRaft), run from
# Maven Central's jars. Used by `./abacus up --kafka local` and by the tests.
#
#   tools/kafka.sh jars            downloads what is missing
#   tools/kafka.sh run DIR PORT    becomes the broker on 127.0.0.1:PORT, data in DIR (made if new)
#   tools/kafka.sh answers PORT    exit code 0 when a broker answers there
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

pom=$root/tools/kafka/pom.xml
version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$pom")
jars=$cache/kafka-$version

# A fast start matters more here than the last bit of speed: only the quick compiler, no GC threads.
java=(java -Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1
    "-Dlog4j2.configurationFile=$root/tools/kafka/log4j2.properties" -cp "$jars/*")

download() {
    [ -d "$jars" ] && return
    say "Downloading Apache Kafka $version from Maven Central into $jars"
    rm -rf "$jars.part"
    mkdir -p "$cache"
    mvn -q -B -f "$pom" \
        org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DincludeScope=runtime "-DoutputDirectory=$jars.part" >"$jars.log" 2>&1 || {
        cat "$jars.log"
        fail "Maven could not download Kafka"
    }
    mv "$jars.part" "$jars"
}

# Replicas: one, since there is one node. The session timeout is short because a killed broker is
# let in again only when the session of its former life has ended.
write_properties() {
    local dir=$1 port=$2 controller_port=$3
    cat >"$dir/server.properties" <<END
process.roles=broker,controller
node.id=1
listeners=BROKER://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port
advertised.listeners=BROKER://127.0.0.1:$port
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:$controller_port
log.dirs=$dir/data
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
END
}

become_broker() {
    local dir=$1 port=$2
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    write_properties "$dir" "$port" "$(free_port)"
    if [ ! -f "$dir/data/meta.properties" ]; then
        "${java[@]}" kafka.tools.StorageTool format -c "$dir/server.properties" \
            -t "$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | cut -c 1-22)"
    fi
    exec "${java[@]}" kafka.Kafka "$dir/server.properties"
}

# Asks ApiVersions (request 18, version 0, correlation id 1, client "abc") and awaits a reply.
answers() {
    exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf '\0\0\0\x0d\0\x12\0\0\0\0\0\1\0\3abc' >&3
    [ "$(timeout 1 head -c 8 <&3 | od -An -tx1 | cut -d ' ' -f 6-)" = '00 00 00 01' ]
}

case ${1:-} in
jars) download ;;
run) become_broker "$2" "$3" ;;
answers) answers "$2" 2>/dev/null ;;
*) usage_error "tools/kafka.sh jars | run DIR PORT | answers PORT" ;;
esac
