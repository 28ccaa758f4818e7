r"""More cases, as programs in the wild write them: one a line, ``\n`` stands for a line break.

What must be masked stands ⟦in brackets⟧; `HARMLESS` must stay to the letter. Everything is made up.
"""

from __future__ import annotations

import base64


def _cases(text: str) -> list[str]:
    return [line.replace(r"\n", "\n") for line in text.strip("\n").split("\n")]


def _encoded(command: str) -> str:
    """Return a command as PowerShell takes it encoded."""
    return base64.b64encode(command.encode("utf-16-le")).decode()


_CONNECT = _encoded("Connect-Server -Host db1 -Password 'Xy7-kk-Q2w9' -Port 1433")
_ENVIRONMENT = _encoded("$env:PGPASSWORD = 'Xy7-kk-Q2w9'; psql -h db")
_LIST = _encoded("Get-Process | Sort-Object CPU -Descending | Select-Object -First 5")

POWERSHELL = [
    f"powershell -enc ⟦{_CONNECT}⟧",
    f"powershell.exe -NoProfile -EncodedCommand ⟦{_CONNECT}⟧",
    f"pwsh -NonInteractive -e ⟦{_ENVIRONMENT}⟧",
    f'["powershell.exe", "-ExecutionPolicy", "Bypass", "-EncodedCommand", "⟦{_CONNECT}⟧"]',
    f"C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe -ec ⟦{_ENVIRONMENT}⟧ exited with 1",
    f"win1 audit: ScriptBlock EncodedCommand=⟦{_CONNECT}⟧ user=ops",
    f'{{"EventID": 4104, "Payload": "⟦{_ENVIRONMENT}⟧"}}',
    f"stored as ⟦{_CONNECT}⟧",
]

WEBHOOKS = _cases(
    r"""
oncall: https://oncall.example.org/integrations/v1/alertmanager/⟦AbCdEfGhIjKlMnOpQrStUvWxY⟧/
https://hooks.slack.com/services/⟦T0AAAAAAA/B0BBBBBBB/abcdefghijkl⟧
curl -X POST -d '{"text":"hi"}' https://hooks.slack.com/services/⟦T0AAAAAAA/B0BBBBBBB/Zx9kQ2mN4pR7⟧
"https:\/\/hooks.slack.com\/services\/⟦T0AAAAAAA\/B0BBBBBBB\/abcdefghijkl⟧"
to=https%3A%2F%2Fhooks.slack.com%2Fservices%2F⟦T0AAAAAAA%2FB0BBBBBBB%2Fabcdefghijkl⟧&x=1
https://hooks.slack.com/workflows/⟦T0AAAAAAA/A0BBBBBBB/123456/abcdefghijkl⟧
https://discord.com/api/webhooks/⟦123456789012345678/abcDEF_ghi-jklMNOpqrSTUvwxYZ0123456789⟧
POST https://discordapp.com/api/v10/webhooks/⟦123456789012345678/abcDEF_ghi-jklMNOpqrSTU⟧?wait=true 204
https://acme.webhook.office.com/webhookb2/⟦550e8400-e29b-41d4-a716-446655440000@660e8400-e29b-41d4-a716-446655440000/IncomingWebhook/abc123/770e8400-e29b-41d4-a716-446655440000⟧
https://outlook.office.com/webhook/⟦550e8400-e29b-41d4-a716-446655440000@660e8400-e29b-41d4-a716-446655440000/IncomingWebhook/abc123⟧
https://api.telegram.org/bot⟦123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11⟧/sendMessage?chat_id=1
https://api.telegram.org/file/bot⟦123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11⟧/photos/a.jpg
https://mm.example.com/hooks/⟦xy8k3mzq9tbw7ehgr5dncu4fpo⟧
notify: "https://chat.example.com:8065/hooks/⟦xy8k3mzq9tbw7ehgr5dncu4fpo⟧"
https://rocket.example.com/hooks/⟦5f3c9a8b7e6d5c4b3a2f1e0d/AbCdEfGhIjKlMnOpQrStUvWx1234⟧
https://chat.googleapis.com/v1/spaces/AAAA1234/messages?⟦key=AbCdEf&token=gHiJkL%3D⟧
https://hooks.zapier.com/hooks/catch/⟦123456/abc12de/⟧
https://maker.ifttt.com/trigger/deployed/with/key/⟦dQw4w9WgXcQabcdef12345⟧
https://hook.eu1.make.com/⟦abcd1234efgh5678ijkl9012⟧
https://open.feishu.cn/open-apis/bot/v2/hook/⟦550e8400-e29b-41d4-a716-446655440000⟧
https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=⟦550e8400-e29b-41d4-a716-446655440000⟧
https://webexapis.com/v1/webhooks/incoming/⟦Y2lzY29zcGFyazovL3VzL1dFQkhPT0s⟧
https://n8n.example.com/webhook/⟦550e8400-e29b-41d4-a716-446655440000⟧
https://portainer.example.com/api/stacks/webhooks/⟦550e8400-e29b-41d4-a716-446655440000⟧
https://status.example.com/api/push/⟦Ab3dE5gH7j⟧?status=up&msg=OK
https://events.pagerduty.com/integration/⟦0123456789abcdef0123456789abcdef⟧/enqueue
https://hc-ping.com/⟦550e8400-e29b-41d4-a716-446655440000⟧/start
https://api.netlify.com/build_hooks/⟦5f3c9a8b7e6d5c4b3a2f1e0d⟧
https://api.render.com/deploy/srv-abc123def?key=⟦x1Y2z3W4v5⟧
"""
)

PAIRS = _cases(
    r"""
NEO4J_AUTH=neo4j/⟦s3cretgraph⟧
NEO4J_AUTH: neo4j/⟦s3cretgraph⟧
      - NEO4J_AUTH=neo4j/⟦s3cretgraph⟧
docker run -e NEO4J_AUTH=neo4j/⟦s3cretgraph⟧ -d neo4j:5
{"NEO4J_AUTH": "neo4j/⟦s3cretgraph⟧", "X": "y"}
"Env": ["NEO4J_AUTH=neo4j/⟦s3cretgraph⟧", "PATH=/usr/bin"]
export NEO4J_AUTH="neo4j/⟦s3cret graph⟧"
FLOWER_BASIC_AUTH=admin:⟦fl0wer-pw⟧
CONSUL_HTTP_AUTH=ops:⟦c0nsul-pw⟧
ES_AUTH: elastic:⟦el4stic-pw⟧
basic_auth: admin:⟦Xy7abc⟧
basicAuth = "admin:⟦Xy7abc⟧"
HTTP_AUTH='bob:⟦Xy7abc⟧'
{"name": "GRAPH_AUTH", "value": "neo4j/⟦Xy7abc⟧"}
RABBITMQ_DEFAULT_PASS=⟦r4bbit⟧
WEBDAV_LOGIN=bob:⟦Xy7abc⟧
BASIC_AUTH_USERS=bob:⟦Xy7abc⟧
SFTP_USERS=bob:⟦Xy7abc:1001⟧
SMB_CREDENTIALS=⟦bob:s4mba⟧
curl -u elastic:⟦Xy7abc⟧ https://es:9200
smbclient //srv/share -U 'bob%⟦Xy7abc⟧' -c ls
jf rt ping --user=bob:⟦Xy7abc⟧
REDISCLI_AUTH=⟦hunter2⟧ redis-cli ping
SSHPASS=⟦hunter2⟧ sshpass -e ssh root@host
      SSHPASS: "⟦hunter2⟧"
RESTIC_PASSWORD=⟦abc⟧ restic snapshots
BORG_PASSPHRASE='⟦a b c⟧' borg list
OC_PASS=⟦abc⟧ occ user:add --password-from-env bob
GITHUB_PAT=⟦abcdef⟧
AZURE_DEVOPS_EXT_PAT=⟦abcdef1234⟧
TF_TOKEN_app_terraform_io=⟦abcdef1234⟧
LDAP_BIND_PW=⟦abc⟧
WEBPASSWORD=⟦abc⟧
PIHOLE_WEBPASSWORD=⟦abc⟧
CONSUL_HTTP_TOKEN=⟦550e8400-e29b-41d4-a716-446655440000⟧
RCLONE_CONFIG_PASS=⟦abc⟧
"""
)

POSITIONS = _cases(
    r"""
mysqladmin -u root password ⟦hunter2⟧
mysqladmin -u root -p⟦old1⟧ password '⟦new pw⟧'
docker exec db mysqladmin -uroot password "⟦hunter2⟧"
redis-cli AUTH ⟦hunter2⟧
redis-cli -h cache AUTH default ⟦hunter2⟧
redis-cli ACL SETUSER bob on '>⟦hunter2⟧' ~* +@all
redis-cli CONFIG SET requirepass ⟦hunter2⟧
["redis-cli", "AUTH", "⟦hunter2⟧"]
rabbitmqctl add_user bob ⟦hunter2⟧
rabbitmqctl -n rabbit@host change_password bob ⟦hunter2⟧
htpasswd -b /etc/htpasswd bob ⟦hunter2⟧
htpasswd -nbB bob ⟦hunter2⟧
docker run --entrypoint htpasswd httpd:2 -Bbn bob ⟦hunter2⟧ > auth/htpasswd
echo "bob:⟦hunter2⟧" | sudo chpasswd
sshpass -p ⟦hunter2⟧ rsync -a x root@host:/y
ldappasswd -x -D cn=admin -w ⟦adm1n⟧ -s ⟦hunter2⟧ uid=bob
slappasswd -s ⟦hunter2⟧
net user bob ⟦hunter2⟧ /add
net use Z: \\srv\share ⟦hunter2⟧ /user:bob
net ads join -U admin%⟦hunter2⟧
kadmin -p admin/admin -w ⟦hunter2⟧ -q 'listprincs'
kadmin.local -q "addprinc -pw ⟦hunter2⟧ bob@EXAMPLE.ORG"
kadmin -q 'cpw -pw ⟦hunter2⟧ bob'
plink -ssh bob@host -pw ⟦hunter2⟧ uptime
smbpasswd bob ⟦hunter2⟧
mongosh --eval 'db.createUser({user: "bob", pwd: "⟦hunter2⟧", roles: []})'
mongosh admin --eval "db.auth('bob', '⟦hunter2⟧')"
mongo --eval 'db.changeUserPassword("bob", "⟦hunter2⟧")'
ALTER USER app WITH ENCRYPTED PASSWORD '⟦hunter2⟧';
ALTER USER scott IDENTIFIED BY ⟦tiger7⟧;
CREATE USER 'a'@'%' IDENTIFIED BY '⟦hunter2⟧';
CREATE USER bob IDENTIFIED WITH plaintext_password BY '⟦hunter2⟧'
SET PASSWORD FOR 'bob'@'%' = '⟦hunter2⟧';
ALTER USER neo4j SET PASSWORD '⟦hunter2⟧' CHANGE NOT REQUIRED
ALTER CURRENT USER SET PASSWORD FROM '⟦old1⟧' TO '⟦hunter2⟧'
CREATE LOGIN app WITH PASSWORD = N'⟦hunter2⟧', CHECK_POLICY = OFF
psql -c "ALTER USER app PASSWORD '⟦hunter2⟧'"
influx setup --username admin --password ⟦hunter2⟧ --org o --bucket b --force
influx user create -n bob -p ⟦hunter2⟧ -o acme
vault login ⟦hvs-abcdef12⟧
vault login -no-print ⟦s.abcdef12⟧
vault token revoke ⟦s.abcdef12⟧
vault operator unseal ⟦Zm9vYmFyYmF6cXV4⟧
consul kv get -token=⟦abc123⟧ x
consul agent -encrypt ⟦cg8StVXbQJ0gPvMd9o7yrg⟧ -dev
consul acl set-agent-token default ⟦abc-123⟧
openssl passwd -6 ⟦hunter2⟧
openssl passwd -apr1 -salt ab12 ⟦hunter2⟧
mkpasswd -m sha-512 ⟦hunter2⟧
ejabberdctl register bob example.org ⟦hunter2⟧
prosodyctl register bob example.org ⟦hunter2⟧
occ maintenance:install --admin-user admin --admin-pass ⟦hunter2⟧
occ config:system:set dbpassword --value=⟦hunter2⟧
wp user create bob bob@example.org --user_pass=⟦hunter2⟧
wp config set DB_PASSWORD ⟦hunter2⟧
gitlab-rails runner "u = User.first; u.password = '⟦hunter2⟧'; u.save!"
gitea admin user create --username bob --password ⟦hunter2⟧ --email b@x.org
grafana-cli admin reset-admin-password ⟦hunter2⟧
grafana cli --homepath /usr/share/grafana admin reset-admin-password ⟦hunter2⟧
neo4j-admin dbms set-initial-password ⟦hunter2⟧
ansible-vault encrypt_string '⟦hunter2⟧' --name db_password
doveadm pw -s SSHA512 -p ⟦hunter2⟧
caddy hash-password --plaintext ⟦hunter2⟧
emqx_ctl users add bob ⟦hunter2⟧
mosquitto_passwd -b /etc/mosquitto/pw bob ⟦hunter2⟧
composer config http-basic.repo.example.org bob ⟦hunter2⟧
poetry config pypi-token.pypi ⟦pypi-abc⟧
cargo login ⟦cioabc123⟧
ngrok config add-authtoken ⟦2abcDEF⟧
snyk auth ⟦550e8400-e29b-41d4-a716-446655440000⟧
bw unlock ⟦hunter2⟧ --raw
rclone obscure ⟦hunter2⟧
drush user:password admin ⟦hunter2⟧
bin/console fos:user:change-password bob ⟦hunter2⟧
127.0.0.1:6379> AUTH ⟦hunter2⟧
chpasswd <<EOF\nroot:⟦hunter2⟧\nbob:⟦hunter3⟧\nEOF
(echo ⟦hunter2⟧; echo ⟦hunter2⟧) | smbpasswd -s -a bob
echo ⟦hunter2⟧ | passwd --stdin bob
echo '⟦hunter2⟧' | docker secret create db_password -
printf ⟦hunter2⟧ | sudo passwd bob
kinit bob@EXAMPLE.ORG <<< ⟦hunter2⟧
smbclient //srv/share ⟦hunter2⟧ -U bob
net rpc user add bob ⟦hunter2⟧ -U admin%⟦adm1npw⟧
docker run -d atmoz/sftp bob:⟦hunter2⟧:1001
zkCli.sh addauth digest bob:⟦hunter2⟧
"""
)

SENTENCES = _cases(
    r"""
user carol has password ⟦kP7vQmZ19xLw⟧
password for user bob is ⟦hunter2x⟧
The password for user "app" is ⟦Sommer-2024!⟧
Password for admin: ⟦Xy7-abc⟧
INFO The initial password of the user root is: ⟦Xy7-abc⟧
Initial admin password: ⟦0123456789abcdef⟧
Your new password: ⟦Xy7abc⟧
the password is: ⟦hunter2x⟧
passphrase set to ⟦Xy7-abc⟧
password has been set to ⟦Xy7-abc⟧.
Password of admin was changed to '⟦Xy7-abc⟧'
password for bob has been reset to ⟦Xy7-abc⟧
token: ⟦abc123def456⟧ (keep it safe)
Your API token is ⟦abc123def456⟧, keep it safe
the root password is now ⟦Xy7-abc⟧
admin password (generated): ⟦Xy7-abc⟧
Password for the user elastic in cluster es01 = ⟦k3x-QwErTy⟧
log in as admin with password ⟦hunter2⟧
Log in with username root and password ⟦Xy7-abc⟧
Use the password "⟦Xy7-abc⟧" to log in
A temporary password is generated for root@localhost: ⟦hF7#kk;2Lpq⟧
The API key for service x is ⟦abc123def456⟧
Your access key is: ⟦abc123def456⟧
passphrase for key id_rsa is ⟦Xy7-abc⟧
"""
)

HASHES = _cases(
    r"""
admin:⟦$$apr1$$salt1234$$abcdefghijklmnopqrstuv⟧
      - "traefik.http.middlewares.a.basicauth.users=admin:⟦$$2y$$05$$abcdefghijklmnopqrstuvABCDEFGHIJ⟧"
traefik.http.middlewares.a.basicauth.users: bob:⟦$$2a$$10$$abcdefghijklmnopqrstuvABCDEFGHIJ⟧
users: "admin:⟦$$apr1$$salt1234$$abcdefghijklmnopqrstuv⟧,bob:⟦$$apr1$$salt5678$$abcdefghijklmnopqrstuv⟧"
hash: ⟦$$6$$saltsalt$$abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuv⟧
x ⟦$$5$$rounds=5000$$saltsalt$$abcdefghijklmnopqrstuvwxyzabcdefghijk⟧ y
PAPERLESS=⟦$$argon2id$$v=19$$m=65536,t=3,p=4$$c29tZXNhbHQ$$RdescudvJCsgt3ub+b5dWRWJTmaaJObG⟧
echo admin:⟦\$apr1\$salt1234\$abcdefghijklmnopqrstuv⟧
users=admin%3A⟦%24apr1%24salt1234%24abcdefghijklmnopqrstuv⟧&x=1
⟦$$y$$j9T$$abcdefgh$$abcdefghijklmnopqrstuvwxyz0123456789⟧
bob:⟦$$pbkdf2-sha512$$25000$$saltsaltsalt$$abcdefghijklmnopqrstuvwxyz⟧
"""
)

KUBECONFIG = _cases(
    r"""
    client-key-data: ⟦LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpNSUlFb3dJQkFBS0NBUUVB⟧
users:\n- name: admin\n  user:\n    client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t\n    client-key-data: ⟦LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCk1IY0NBUUVFSUE9PQ==⟧
{"client-certificate-data":"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t","client-key-data":"⟦LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCk1IY0NB⟧"}
    user:\n      token: ⟦abcdef0123456789⟧
tls.key: ⟦LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCk1JSUV2UUlCQURBTkJna3Foa2lHOXcwQkFRRUZBQVND⟧
"""
)

COOKIES = _cases(
    r"""
Cookie: theme=dark; session=⟦abc123def⟧
Cookie: session=⟦abc123def⟧; lang=de; theme=dark
> Cookie: lang=en-US; _ga=GA1.2.123456.654321; PHPSESSID=⟦abc123def⟧
{"Cookie": "theme=dark; sid=⟦abc123def⟧"}
curl -b 'theme=dark; session=⟦abc123def⟧' https://x.org
curl --cookie "session=⟦abc123def⟧; lang=de" https://x.org
Cookie: tz=Europe/Berlin; csrftoken=⟦abc123def⟧; sidebar=collapsed
Set-Cookie: remember_me=⟦abcdef⟧; Path=/; HttpOnly
Cookie: connect.sid=⟦s%3Aabc.def1⟧; consent=true
Cookie: auth=⟦abcdef⟧
"""
)

TRACES = _cases(
    r"""
1700000000.123456 [0 127.0.0.1:51234] "AUTH" "⟦Xy7kkQ2w9⟧"
1700000000.123456 [0 127.0.0.1:51234] "auth" "default" "⟦Xy7kkQ2w9⟧"
1700000000.123456 [0 127.0.0.1:51234] "HELLO" "3" "AUTH" "default" "⟦Xy7kkQ2w9⟧" "SETNAME" "web"
AUTH PLAIN ⟦AGpvZQBYeTdra1Eydzk=⟧
send: 'AUTH PLAIN ⟦AGpvZQBYeTdra1Eydzk=⟧\r\n'
> USER joe\n< 331 Please specify the password.\n> PASS ⟦Xy7kkQ2w9⟧\n< 230 Login successful.
---> PASS ⟦Xy7kkQ2w9⟧
> A002 LOGIN joe ⟦Xy7kkQ2w9⟧
C: a1 LOGIN "joe@example.com" "⟦Xy7kkQ2w9⟧"
jdbc:oracle:thin:shop/⟦Xy7kkQ2w9⟧@//ora.example:1521/XEPDB1
Unseal Key 1: ⟦4jYbl2CBIv6SpkKj6Hos9iD32k5RfGkLzlosrrq/JgOm⟧
Password for the [elastic] user successfully reset.\nNew value: ⟦kR7vLq2xZaQp0kLm=+q⟧
Accessor ID  = 1cc5b2b2-0f9e-4a8d-a4a6-2b8c1b3c4d5e\nSecret ID    = ⟦8bd7a1c4-3b2f-4e1a-9c6d-5f0e7a8b9c1d⟧
keytool -importkeystore -srckeystore a.p12 -srcstorepass ⟦Xy7kkQ2w9⟧ -deststorepass ⟦Xy7kkQ2w8⟧
$password = ConvertTo-SecureString "⟦P@ssw0rd!77⟧" -AsPlainText -Force
$cred = New-Object PSCredential("joe", (ConvertTo-SecureString -String '⟦P@ssw0rd!77⟧' -AsPlainText -Force))
schtasks /create /tn backup /ru joe /rp ⟦P@ssw0rd!77⟧
/usr/lib/erlang/erts-15.2/bin/beam.smp -W w -- -root /usr/lib/erlang -setcookie ⟦QXMMLPCOOKIE⟧ -sname rabbit
  ~ master_password = "⟦old1Secret⟧" -> "⟦newSecret2⟧"
  ~ master_password = (sensitive value) -> "⟦newSecret2⟧" # forces replacement
  ["password"]=>\n  string(8) "⟦Qx7mmLp2⟧"
array(1) { ["password"]=> string(8) "⟦Qx7mmLp2⟧" }
define( 'DB_PASSWORD', '⟦Qx7mmLp2⟧' );
define('SECURE_AUTH_KEY',  '⟦put Xk29 a phrase! here⟧');
props.setProperty("db.password", "⟦Qx7mmLp2⟧");
os.environ.setdefault("API_TOKEN", "⟦Qx7mmLp2⟧")
hibernate.connection.password ⟦Spr1ngBoot!⟧
GET /cb?code=⟦4/0AX4XfWh_abcdefghijklmnopqr⟧&state=open HTTP/1.1
[smtp.example.com]:587 joe@example.com:⟦Xy7kkQ2w9⟧
[mail.example.com]:submission joe:⟦Xy7 kkQ2w9⟧
[relay.example.com]:smtps joe:⟦Xy7kkQ2w9⟧
> USER joe\n> PASS ⟦Xy7kkQ2w9⟧
C: PASS ⟦Xy7kkQ2w9⟧
send: 'PASS ⟦Xy7kkQ2w9⟧'
*cmd* 'PASS ⟦Xy7kkQ2w9⟧'
> PASS ⟦Xy7kkQ2w9⟧\n< 230 Login successful.
< +OK ready\n> PASS ⟦Xy7kkQ2w9⟧
"""
)

# Passphrases that look like a call, and calls with a secret among their arguments
CALLS = _cases(
    r"""
password: ⟦New-Horizon blue 42⟧
password: ⟦New-Horizon⟧
DB_PASSWORD=⟦Get-Lucky tonight⟧
password: ⟦Read-Only Memory77⟧
password: ⟦Read-Host hunter⟧
SECRET_KEY: ⟦Import-Export 44aa⟧
token: ⟦New-Secret⟧
$password = ⟦Get-Foo "s3cretvalue99x"⟧
$password = ⟦Get-Foo -Key "s3cretvalue99x"⟧
$password = ⟦Get-Foo -Key 's3cretvalue99x'⟧ -Force
$password = ⟦Read-Host "s3cretvalue99x"⟧ -AsSecureString
password: ⟦new horizon(blue 42)⟧
password: ⟦await dawn(s3cretvalue99x)⟧
const secret = ⟦new Secret("s3cretvalue99x");⟧
"""
)

SECRETS: list[str] = [
    *TRACES,
    *CALLS,
    *POWERSHELL,
    *WEBHOOKS,
    *PAIRS,
    *POSITIONS,
    *SENTENCES,
    *HASHES,
    *KUBECONFIG,
    *COOKIES,
]

HARMLESS: list[str] = [
    f"powershell -enc {_LIST}",
    f"pwsh -EncodedCommand {_LIST}",
    *_cases(
        r"""
Setting up passwd (1:4.13+dfsg1-1) ...
Setting up login (1:4.13+dfsg1-1) ...\nSetting up passwd (1:4.13+dfsg1-1) ...
Unpacking passwd (1:4.13+dfsg1-1+deb12u1) over (1:4.13+dfsg1-1) ...
Setting up passwd:amd64 (1:4.13+dfsg1-1) ...
Install: passwd:amd64 (1:4.13+dfsg1-1, automatic), login:amd64 (1:4.13+dfsg1-1)
Get:3 http://deb.debian.org/debian bookworm/main amd64 passwd amd64 1:4.13+dfsg1-1 [972 kB]
2026-11-26 09:00:00 status installed passwd:amd64 1:4.13+dfsg1-1
ii  passwd         1:4.13+dfsg1-1+b1 amd64        change and administer password and group data
The following packages will be upgraded:\n  mount login logsave passwd perl-base\n4 upgraded
The following packages will be upgraded:\n  login logsave passwd perl-base\n4 upgraded
passwd:\n  Installed: 1:4.13+dfsg1-1\n  Candidate: 1:4.13+dfsg1-1+b1
apt-get install -y passwd=1:4.13+dfsg1-1 login
    passwd (1:4.13+dfsg1-1+b1)\n    login (1:4.13)
Unpacking base-passwd (3.6.1) ...
passwd/stable,now 1:4.13+dfsg1-1 amd64 [installed]
passwd is already the newest version (1:4.13+dfsg1-1).
usage: app [-h] [--password PASSWORD] [--token TOKEN] [--api-key API_KEY]
usage: app [-h] [--password=PASSWORD] [-t TOKEN]
  --password PASSWORD   the password of the user
  --password PASSWORD, -p PASSWORD
  --token <TOKEN>       the token
  --db-password DB_PASSWORD
  -p, --password string     Password
      --token string        token to use
  --password TEXT  Password of the user.
  --password <password>
  [--password password] [--new-password new-password]
usage: ssh-keygen [-q] [-a rounds] [-N new_passphrase] [-O option]
redis-cli [-h HOST] [-a PASSWORD] [--pass PASSWORD]
  --http-password=PASS        set http password to PASS
docker login [-u USERNAME] [-p PASSWORD] [SERVER]
mysql: -p, --password[=name] Password to use when connecting to server.
curl -u USER:PASSWORD https://example.org
Cookie: theme=dark
Cookie: theme=dark; lang=de
Cookie: cookie_consent=accepted; timezone=Europe/Berlin
Set-Cookie: lang=en-US; Path=/; SameSite=Lax
missing secret: db_password
missing secret: app_dsn
missing secrets: app_dsn, db_password
secrets/staging/shop.yml: missing secret: smtp_login\n  -> add it:\n     .venv/bin/maestro secrets set smtp_login --environment staging --stack shop
"msg": "missing secret: app_dsn\n  -> add it"
-> name it: -e secret=db_password, or -e secret=api_key
-e secret=db_password,api_key
db_password stays: Maestro did not make its value; name it (-e secret=db_password) to have it replaced by a random one
ansible-playbook playbooks/rotate_secrets.yml -l staging -e secret=db_password
secrets db_password, api_token (new)
no service of the stack reads app_dsn
   --password value   password (default: none) [$APP_PASSWORD]
gitlab-rake "gitlab:password:reset[root]"
ALLOWED_USERS=bob:alice
the API key is required
the access key is for reading
usage: ansible-vault encrypt_string [-h] [--vault-id VAULT_IDS]
status installed python3-jwt:all 2.6.0-1
  -K, --list-secret-keys             list secret keys
 -pass val           Passphrase source
cat list | grep passwd
echo hello | tee passwd
the password is required
the password is too short
password for user bob is required
password for user bob is expired
Password for user postgres:
[sudo] password for bob:
password for bob is stored in /run/secrets/db_password
the password is set in the file db.env
the passphrase is not set
password is valid for 90 days
password for user bob was changed on 2026-11-26
The password has been changed
The token is valid until 2026-12-01
password of the user is read from STDIN
using password: YES
log in with password authentication
connect with a password or a key
with password sha256
NEO4J_AUTH=none
NEO4J_AUTH=neo4j/${NEO4J_PASSWORD}
NEO4J_AUTH_FILE=/run/secrets/neo4j_auth
REGISTRY_AUTH=htpasswd
SMTP_AUTH=plain
AUTH=true
PROXY_AUTH=proxy.example.org:8080
basic_auth: enabled
mysqladmin ping -h localhost
mysqladmin -u root password
redis-cli -h cache CONFIG GET maxmemory
rabbitmqctl list_users
rabbitmqctl delete_user bob
net user bob /delete
net start docker
openssl passwd -6 -stdin
openssl passwd -6 -in file
vault token lookup
vault login -method=oidc
ejabberdctl registered_users example.org
occ config:system:get dbpassword
wp user list
consul members
cargo login
ansible-vault encrypt_string --stdin-name db_password
sftp bob@example.org
influx setup --help
https://api.example.com/webhooks/github
https://api.github.com/repos/o/r/hooks/12345678/deliveries
https://github.com/o/r/blob/main/src/hooks/useOAuth2AuthenticationFlow.ts
https://api.example.com/v1/webhooks/550e8400-e29b-41d4-a716-446655440000
https://discord.com/channels/123456789012345678/123456789012345678
https://api.telegram.org/
https://slack.com/intl/de-de/help/articles/115005265063
https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
client-certificate-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t
    client-key-data: DATA+OMITTED
certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t
client-key: /etc/kubernetes/pki/admin.key
LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0KTUlJQklqQU5CZ2txaGtpRzl3MEJBUUVGQUFPQ0FR
costs $$5 or $$6, pid $$, $$1 and $$2
command: sh -c 'echo $$HOME $$1'
apr1 is the hash of Apache
bcrypt ($2y$) is used
00000000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 0a           |Hello, world.|\n0000000d
00000000: 4865 6c6c 6f2c 2077 6f72 6c64 0a         Hello, world.
0000000   H   e   l   l   o   ,       w   o   r   l   d  \n\n0000015
        0x0000:  4500 003c 1c46 4000 4006 b1e6 ac10 0a63  E..<.F@.@......c
  0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x0a
load average: 0.00 0.01 0.05 1/123 4567
  12  34  56  78 100
PASS tests/unit/login.test.js (5.2 s)
GET /page?code=404&lang=en HTTP/1.1
  -p, --password string      Password
docker login [OPTIONS] [SERVER]  -p, --password string
const token = await getToken();
const token = new Token();
const token = await this.vault.read(config.path, options.name);
$password = Read-Host "Password" -AsSecureString
$password = Read-Host -Prompt 'Enter the new password' -AsSecureString
if ($ask) { $password = Read-Host "Password" -AsSecureString }
$password = ConvertTo-SecureString $plain -AsPlainText -Force
$password = Get-Content C:\run\db.txt | ConvertTo-SecureString
$password = Import-Clixml -Path ./cred.xml
$token = Get-Content $path -Raw | ConvertFrom-Json
$token = Get-AzKeyVaultSecret -VaultName $vault -Name $name -AsPlainText
$token = Invoke-RestMethod -Method Post -Uri $url -Headers (Get-Headers $id)
next token: ')' expected at line 4
Unexpected token: "," in JSON at position 7
syntax error near unexpected token: `('
lexer token='->' kind=ARROW
[web]:error foo:bar baz qux
[web.1]:error foo:bar
[web]:8080 foo:bar
> PASS ok_then
  > PASS test_login
> make test\n> PASS ok_then\n> FAIL not_so
"PASS ok_then"
setLabel("password", "Password")
form.add('password', 'Your password is required')
python.token 1.2.0
auth plain text
> "auth" "none"
Secret ID: none
[2001:db8::1]:443 is open: yes
last login Thu Nov 26 from 10.0.0.9
"password" => string(0) ""
"""
    ),
]

# A known secret, and what is shown of it.
KNOWN_SECRET = "Tr0ub4dor&3-x9"
KNOWN: list[str] = _cases(
    r"""
x ⟦tr0ub4dor&3-x9⟧ y
x ⟦TR0UB4DOR&3-X9⟧ y
x=⟦Tr0Ub4Dor&3-X9⟧
?q=⟦tr0ub4dor%263-x9⟧&a=1
?q=⟦TR0UB4DOR%263-X9⟧&a=1
{"x": "⟦TR0UB4DOR\u00263-X9⟧"}
"""
)
