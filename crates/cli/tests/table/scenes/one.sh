# from scene empty
# One snapshot of the source.
restic backup --quiet --time '2024-02-01 10:00:00' --host h1 --tag t1,t2 src
