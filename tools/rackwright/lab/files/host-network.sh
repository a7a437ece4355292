#!/bin/sh
# Gives a machine of the lab its place in the network, at each boot, before anything listens.
# The environment of PID 1 (set by `rackwright lab up`) says what: see rackwright-lab-network.service.
set -eu

# Only the network's settings are this machine's own; the rest of /proc/sys is the whole computer's.
mount -o remount,rw /proc/sys 2>/dev/null || true
for tree in kernel vm fs dev; do
    if [ -d "/proc/sys/$tree" ]; then
        mount --bind "/proc/sys/$tree" "/proc/sys/$tree"
        mount -o remount,ro,bind "/proc/sys/$tree"
    fi
done

for address in ${RACKWRIGHT_ADDRESSES:-}; do
    ip address replace "$address" dev lo
done
for route in ${RACKWRIGHT_ROUTES:-}; do # destination=next-hop
    ip route replace "${route%%=*}" via "${route#*=}"
done

if [ "${RACKWRIGHT_ROLE:-host}" = gateway ]; then
    sysctl -q -w net.ipv4.ip_forward=1
    # Of a closed lab nothing leads out; what would is counted.
    if [ -z "${RACKWRIGHT_WORLD:-}" ]; then
        nft -f - <<RULES
table inet rackwright_lab
delete table inet rackwright_lab
table inet rackwright_lab {
    counter outside {}
    chain prerouting {
        type filter hook prerouting priority raw;
        ip daddr != { $RACKWRIGHT_INSIDE, 127.0.0.0/8, 224.0.0.0/4, 255.255.255.255 } counter name outside drop
    }
}
RULES
        ssh-keygen -A >/dev/null
        exit 0
    fi
    # Translate nothing between the zones; what leaves for the world takes this machine's address there.
    world=$(ip -o route get "$RACKWRIGHT_WORLD" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
    nft -f - <<RULES
table ip rackwright_lab
delete table ip rackwright_lab
table ip rackwright_lab {
    chain postrouting {
        type nat hook postrouting priority srcnat;
        oifname "$world" masquerade
    }
}
RULES
else
    # Machines of a closed site have no resolver: a name that is asked for fails at once and nothing
    # leaves unseen through Docker's own resolver.
    printf '# The lab has no resolver; hosts know each other by address.\n' >/etc/resolv.conf
fi

# A new machine makes its own host keys.
ssh-keygen -A >/dev/null
