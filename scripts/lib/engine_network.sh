# shellcheck shell=bash
# A bridge and a /16 of its own for each private engine, so that engines side by side never hand out an address twice,
# and so that no rule of another engine is touched: a second dockerd with the usual settings would empty the first
# one's firewall chains, and with them the published ports of somebody's containers.
# Needs as_root of install.sh.

# Debian keeps ip and iptables in /usr/sbin, which a user's PATH may lack.
PATH=$PATH:/usr/sbin:/sbin

# Old kernels and some containers know only one of the two tables that Debian's iptables can speak to.
pick_iptables() {
    local candidate
    for candidate in iptables iptables-legacy iptables-nft; do
        if command -v "$candidate" >/dev/null && as_root "$candidate" -w -t nat -nL POSTROUTING >/dev/null 2>&1; then
            printf '%s' "$candidate"
            return 0
        fi
    done
    return 1
}

# network_rules IPTABLES DO N: DO is what iptables is to do with each rule: I puts it in, D takes it out.
# The forwarding rules go in first in line: another Docker may have closed the chain behind them.
network_rules() {
    local tables=$1 do=$2 net=10.$((200 + $3)).0.0/16
    as_root "$tables" -w -t nat "-$do" POSTROUTING -s "$net" ! -d "$net" -j MASQUERADE
    as_root "$tables" -w "-$do" FORWARD -s "$net" -j ACCEPT
    as_root "$tables" -w "-$do" FORWARD -d "$net" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
}

# network_up FILE: makes a bridge that nobody has and keeps its number in FILE; 10.(200+N).0.0/16 belongs to it.
network_up() {
    local file=$1 tables n
    network_down "$file"
    tables=$(pick_iptables) || { say "No iptables that works here: containers could not reach any network."; return 1; }
    for n in $(seq 1 50); do
        if ip -4 route show | grep -qF "10.$((200 + n))."; then continue; fi
        # Making the bridge is what takes the number: of two that try at once, one fails and goes on to the next.
        if as_root ip link add "pitchey$n" type bridge 2>/dev/null; then
            printf '%s %s %s\n' "$n" "$tables" "$(cat /proc/sys/kernel/random/boot_id)" >"$file"
            as_root ip addr add "10.$((200 + n)).0.1/24" dev "pitchey$n"
            as_root ip link set "pitchey$n" up
            as_root sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward' 2>/dev/null || true
            network_rules "$tables" I "$n"
            return 0
        fi
    done
    say "Could not make a network bridge for the engine (ip link add ... type bridge)."
    return 1
}

network_number() {
    cut -d' ' -f1 "$1"
}

network_down() {
    local n tables boot
    [ -s "$1" ] || return 0
    read -r n tables boot <"$1"
    # A reboot has taken it all down, and the number may be another engine's by now.
    if [ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ]; then
        network_rules "$tables" D "$n" 2>/dev/null || true
        as_root ip link del "pitchey$n" 2>/dev/null || true
    fi
    rm -f "$1"
}
