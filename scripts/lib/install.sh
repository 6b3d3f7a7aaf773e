# shellcheck shell=bash
# Packages of the distribution. Needs console.sh.

# What an engine needs on Debian 12; mmdebstrap makes the base image where no registry can be reached.
engine_packages() {
    case $1 in
    docker) echo docker.io runc iptables iproute2 fuse-overlayfs mmdebstrap ;;
    podman)
        echo podman runc crun iptables iproute2 netavark aardvark-dns slirp4netns fuse-overlayfs uidmap mmdebstrap
        ;;
    esac
}

am_root() {
    [ "$(id -u)" = 0 ]
}

# Whether as_root can work: sudo must be there, and must not need a password that nobody is there to type.
can_be_root() {
    am_root || { command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; }
}

AS_ROOT=() # the prefix of a command that needs root
am_root || AS_ROOT=(sudo)

as_root() {
    "${AS_ROOT[@]}" "$@"
}

# Fresh cloud and container images come with no package lists, and old lists name files that are gone.
refresh_package_lists() {
    if [ -z "$(find /var/lib/apt/lists -name '*_Packages*' -mtime -1 -print -quit 2>/dev/null)" ]; then
        timed "Fetching the package lists" as_root apt-get -q update
    fi
}

# install_packages WHY PACKAGE...: installs what is missing, after asking. Fails when that cannot be.
install_packages() {
    local why=$1 package missing=()
    shift
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        say "$why needs what Debian calls: ${missing[*]}. This system has no apt-get; please install them your way."
        return 1
    fi
    if ! can_be_root; then
        say "$why needs packages that only root can install: apt-get install ${missing[*]}"
        return 1
    fi
    say "$why needs these packages of your distribution: ${missing[*]}"
    if ! confirm "Install them now with apt-get?" yes; then
        say "Left as it is. To do it yourself: sudo apt-get install --no-install-recommends ${missing[*]}"
        return 1
    fi
    am_root || sudo -v 2>/dev/null || true # the password, before a progress line hides the question
    refresh_package_lists || return 1
    timed "Installing ${missing[*]}" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"
}
