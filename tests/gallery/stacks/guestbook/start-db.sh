# The password of the file is the one that counts, at each start.
set -eu
if ! [ -s "$PGDATA/PG_VERSION" ]; then
  initdb --username=app --auth-local=trust --auth-host=scram-sha-256 --no-sync >/dev/null
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
fi
echo "ALTER ROLE app PASSWORD '$(cat /run/secrets/db_password)'" |
  postgres --single -D "$PGDATA" postgres >/dev/null
exec postgres -c listen_addresses='*' -c fsync=off -c shared_buffers=8MB
