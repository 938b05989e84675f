# from scene one
# Locks of processes that are gone: two that took it together, as if they had been killed.
for number in 1 2; do
    mkfifo tmp/held
    restic backup --stdin --quiet <tmp/held &
    holder=$!
    exec 9>tmp/held
    until [ "$(ls repo/locks | wc -l)" -ge $number ]; do sleep 0.02; done
    sleep 0.4
    kill -9 $holder
    wait $holder || true
    exec 9>&-
    rm tmp/held
done
