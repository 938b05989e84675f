# Words that every line of the table may use.

# Runs its arguments while another process of the same program holds a shared lock.
while_locked() {
    mkfifo tmp/held
    (exec restic backup --stdin --quiet <tmp/held >tmp/holder 2>&1) &
    holder=$!
    exec 9>tmp/held
    until [ "$(ls repo/locks | wc -l)" -gt 0 ]; do sleep 0.02; done
    # The holder looks a second time after a fifth of a second.
    sleep 0.4
    "$@"
    ended=$?
    echo x >&9
    exec 9>&-
    wait $holder
    rm -f tmp/held tmp/holder
    return $ended
}

# Runs its arguments as root without the right to read what is closed to all.
powerless() {
    setpriv --inh-caps=-dac_override,-dac_read_search --bounding-set=-dac_override,-dac_read_search "$@"
}

# Runs a program on a stream that stays silent, and sends it a signal once it holds a lock.
interrupted() {
    told=$1
    shift
    mkfifo tmp/silent
    (exec "$@" <tmp/silent) &
    waiting=$!
    exec 9>tmp/silent
    until [ "$(ls repo/locks | wc -l)" -gt 0 ]; do sleep 0.02; done
    sleep 0.4
    kill -"$told" $waiting
    sleep 0.4
    exec 9>&-
    wait $waiting
    ended=$?
    rm tmp/silent
    return $ended
}
