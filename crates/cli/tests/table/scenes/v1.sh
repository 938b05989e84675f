# from fixture v1-basic
# A repository of format 1.
printf 'hello\n' >src/a.txt
find src -exec touch -h -d '2024-01-02 03:04:05' {} +
