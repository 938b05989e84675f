# from scene empty
# Snapshots of two hosts and several tags, paths, zones and years.
keep() { restic backup --quiet "$@"; }
keep --host h1 --tag t1 --time '2022-12-31 23:30:00' src
keep --host h1 --tag t1,t2 --time '2023-01-01 00:30:00' src
printf 'changed\n' >src/docs/b.txt
printf 'new\n' >src/docs/new.txt
touch -d '2023-05-05 05:05:05' src/docs/b.txt src/docs/new.txt src/docs
keep --host h1 --time '2023-06-15 12:00:00' src
keep --host h2 --tag t2 --time '2023-06-15 12:00:01' src/docs
TZ=America/New_York keep --host h2 --time '2023-06-15 20:00:00' src/docs
rm src/docs/draft.tmp
chmod 600 src/a.txt
touch -d '2023-07-01 01:01:01' src/docs
keep --host h1 --tag 'with blank' --time '2024-02-29 08:00:00' src src/img
printf 'piped' | keep --host h3 --stdin --stdin-filename /dump/db.sql --time '2024-03-01 09:00:00'
keep --host h1 --tag t1 --time '2024-03-01 10:00:00' src
