# from empty
# A repository without snapshots, and a small source of most kinds with old times.
umask 022
cd src
mkdir -p docs img empty 'odd names'
printf 'hello\n' >a.txt
printf 'hello world\n' >docs/b.txt
printf 'draft\n' >docs/draft.tmp
: >zero
head -c 5000 /dev/zero | tr '\0' 'x' >img/c.bin
printf 'JPG' >img/Photo.JPG
ln -s a.txt link
ln docs/b.txt docs/hard
mkfifo pipe
printf 'odd' >'odd names/a<b>&c'
printf 'tab' >"$(printf 'odd names/tab\there')"
chmod 4755 zero
chmod 1777 empty
find . -exec touch -h -d '2024-01-02 03:04:05' {} +
