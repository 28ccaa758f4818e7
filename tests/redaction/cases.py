"""Cases of what must be masked, ⟦in brackets⟧, and of what must stay to the letter.

Everything here is made up after the public description of a format. Tokens are put together from
parts, so that no scanner of this repository takes one for real.
"""

from __future__ import annotations

import base64
import random
import string

_random = random.Random(20240607)
_ALNUM = string.ascii_letters + string.digits


def _some(length: int, alphabet: str = _ALNUM) -> str:
    return "".join(_random.choice(alphabet) for _ in range(length))


def _hex(length: int) -> str:
    return _some(length, "0123456789abcdef")


def _url(length: int) -> str:
    return _some(length - 1, _ALNUM + "-_") + _some(1)


def _b64(length: int) -> str:
    return base64.b64encode(_random.randbytes(length)).decode()


def _b64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _pem(kind: str, lines: int = 4, width: int = 64) -> tuple[str, list[str], str]:
    body = _b64(48 * lines)
    return (
        f"-----BEGIN {kind}-----",
        [body[at : at + width] for at in range(0, len(body), width)],
        f"-----END {kind}-----",
    )


_JWT_HEADER = _b64url('{"alg":"HS256","typ":"JWT"}')
_JWT_BODY = _b64url('{"sub":"1234567890","name":"x"}')
_JWT = f"{_JWT_HEADER}.{_JWT_BODY}.{_url(43)}"
_PEM_HEAD, _PEM_BODY, _PEM_TAIL = _pem("RSA PRIVATE KEY")
_EC_HEAD, _EC_BODY, _EC_TAIL = _pem("EC PRIVATE KEY", 2)
_SSH_HEAD, _SSH_BODY, _SSH_TAIL = _pem("OPENSSH PRIVATE KEY", 5, 70)
_PUB_HEAD, _PUB_BODY, _PUB_TAIL = _pem("PUBLIC KEY", 3)
_CRT_HEAD, _CRT_BODY, _CRT_TAIL = _pem("CERTIFICATE", 6)
_NL = "\n"
_ESCAPED = "\\n"
_DEEPER = "\n  "
_PREFIXED = "\napi-1  | "

_TOKENS = {
    "github personal": "ghp" + "_" + _some(36),
    "github oauth": "gho" + "_" + _some(36),
    "github user": "ghu" + "_" + _some(36),
    "github server": "ghs" + "_" + _some(36),
    "github refresh": "ghr" + "_" + _some(36),
    "github fine-grained": "github" + "_pat_" + _some(22) + "_" + _some(59),
    "gitlab personal": "glpat" + "-" + _url(20),
    "gitlab routable": "glpat" + "-" + _url(27) + ".01." + _some(9, "0123456789abcdefghijkl"),
    "gitlab deploy": "gldt" + "-" + _url(20),
    "gitlab runner": "glrt" + "-" + _url(20),
    "gitlab trigger": "glptt" + "-" + _hex(40),
    "slack bot": "xoxb"
    "-" + _some(12, "0123456789") + "-" + _some(12, "0123456789") + "-" + _some(24),
    "slack user": "xoxp-" + "-".join(_some(12, "0123456789") for _ in range(3)) + "-" + _hex(32),
    "slack app": "xapp"
    "-1-A" + _some(10, string.ascii_uppercase) + "-" + _some(13, "0123456789") + "-" + _hex(64),
    "aws access key": "AKIA" + _some(16, string.ascii_uppercase + "234567"),
    "aws temporary": "ASIA" + _some(16, string.ascii_uppercase + "234567"),
    "google api": "AIza" + _url(35),
    "google oauth": "ya29." + "a0" + _url(60),
    "google client": "GOCSPX" + "-" + _url(28),
    "stripe live": "sk" + "_live_" + _some(24),
    "stripe test": "sk" + "_test_" + _some(24),
    "stripe restricted": "rk" + "_live_" + _some(24),
    "stripe webhook": "whsec" + "_" + _some(32),
    "npm": "npm" + "_" + _some(36),
    "pypi": "pypi" + "-AgEIcHlwaS5vcmc" + _url(70),
    "rubygems": "rubygems" + "_" + _hex(48),
    "docker hub": "dckr" + "_pat_" + _url(27),
    "docker swarm": "SWMTKN"
    "-1-"
    + _some(50, string.ascii_lowercase + string.digits)
    + "-"
    + _some(25, string.ascii_lowercase + string.digits),
    "hugging face": "hf" + "_" + _some(34),
    "openai": "sk" + "-proj-" + _url(74) + "T3BlbkFJ" + _url(74),
    "openai old": "sk" + "-" + _some(20) + "T3BlbkFJ" + _some(20),
    "anthropic": "sk" + "-ant-api03-" + _url(93) + "AA",
    "digitalocean": "dop" + "_v1_" + _hex(64),
    "sendgrid": "SG" + "." + _url(22) + "." + _url(43),
    "mailchimp": _hex(32) + "-us12",
    "mailgun": "key" + "-" + _hex(32),
    "twilio": "SK" + _hex(32),
    "telegram": _some(9, "123456789") + ":AA" + _url(33),
    "discord": "MT" + _some(24) + "." + _url(6) + "." + _url(38),
    "vault": "hvs" + "." + _url(90),
    "terraform": _some(14) + ".atlasv1." + _url(67),
    "databricks": "dapi" + _hex(32),
    "doppler": "dp" + ".pt." + _some(43),
    "grafana": "glsa" + "_" + _some(32) + "_" + _hex(8),
    "shopify": "shpat" + "_" + _hex(32),
    "square": "sq0atp" + "-" + _url(22),
    "new relic": "NRAK" + "-" + _some(27, string.ascii_uppercase + string.digits),
    "linear": "lin" + "_api_" + _some(40),
    "postman": "PMAK" + "-" + _hex(24) + "-" + _hex(34),
    "planetscale": "pscale" + "_tkn_" + _url(43),
    "figma": "figd" + "_" + _url(40),
    "atlassian": "ATATT3" + _url(186),
    "bitbucket": "ATBB" + _some(32),
    "age": "AGE-SECRET-" + "KEY-1" + _some(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
    "azure ad": _some(3) + "8Q~" + _url(34),
    "tailscale": "tskey" + "-auth-" + _some(12) + "CNTRL-" + _some(32),
    "sonarqube": "squ" + "_" + _hex(40),
    "jwt": _JWT,
    "bcrypt": "$2b$12$" + _some(53, _ALNUM + "./"),
    "sha512 crypt": "$6$" + _some(16) + "$" + _some(86, _ALNUM + "./"),
    "apr1": "$apr1$" + _some(8) + "$" + _some(22, _ALNUM + "./"),
    "argon2": "$argon2id$v=19$m=65536,t=3,p=4$" + _some(22) + "$" + _some(43),
}

TOKENS: list[str] = [
    shape.replace("%", f"⟦{token}⟧")
    for number, token in enumerate(_TOKENS.values())
    for shape in (
        ("found % in the log", '{"msg":"got %","level":"info"}', "x=%", "(%)")[number % 4],
        "%",
    )
]

_AWS_SECRET = _some(40, _ALNUM + "+/")

PLACES: list[str] = [
    # URL userinfo
    "postgres://app:⟦s3cr3t-Pw⟧@db.internal:5432/app?sslmode=disable",
    "connecting to redis://:⟦Zx9kQ2⟧@cache:6379/0",
    "amqp://guest:⟦gu3st!pw⟧@rabbit:5672//",
    "mongodb+srv://admin:⟦p%40ss%2Fword⟧@cluster0.example.net/?retryWrites=true",
    'DATABASE_URL="postgresql://u:⟦p@ss:w0rd⟧@10.0.0.5/db"',
    "fatal: unable to access 'https://deploy:⟦Ab12Cd34Ef56⟧@git.example.org/x.git/': 403",
    f"git clone https://⟦{_some(40)}⟧@git.example.org/org/repo.git",
    f"cloning https://oauth2:⟦{_url(20)}⟧@gitlab.example.com/a/b.git",
    "mysql://root:⟦a/b#c?d⟧@db/app",
    "dsn: app:⟦hunter2pass⟧@tcp(127.0.0.1:3306)/app?parseTime=true",
    "proxy http://user:⟦Pr0xyPw⟧@proxy.corp:3128",
    "sftp://backup:⟦qwe.rty-1⟧@host/dir",
    'error dialing "ftp://u:⟦xyzzy42⟧@ftp.example.com"',
    # headers
    "Authorization: Basic ⟦dXNlcjpwYXNzd29yZA==⟧",
    "authorization: Bearer ⟦abcDEF123456.-_~⟧",
    f"> Authorization: Bearer ⟦{_JWT}⟧",
    '{"Authorization":"Bearer ⟦0123456789abcdefABCDEF⟧","Accept":"*/*"}',
    "curl -H 'Authorization: token ⟦0a1b2c3d4e5f6071⟧' https://api.example.com/",
    'headers={"authorization": ["Basic ⟦YTpiY2RlZmdo⟧"]}',
    "Proxy-Authorization: Basic ⟦cHJveHk6c2VjcmV0⟧",
    "X-Api-Key: ⟦9f8e7d6c5b4a⟧",
    "x-auth-token: ⟦tok-12345-abc⟧",
    "X-Vault-Token: ⟦s.aBcDeFgHiJkLmNoP⟧",
    "PRIVATE-TOKEN: ⟦aBcD1234efGH5678⟧",
    'curl --header "PRIVATE-TOKEN: ⟦aBcD1234efGH5678⟧" "https://gitlab.example.com/api/v4/projects"',
    "Cookie: session=⟦abc123def456⟧; csrftoken=⟦tokenvalue9⟧",
    "Set-Cookie: sid=⟦s%3Aabcdef.123⟧; Path=/; HttpOnly; SameSite=Lax",
    '"Set-Cookie": "JSESSIONID=⟦0A1B2C3D4E5F⟧; Path=/; Secure"',
    'Authorization: Digest ⟦username="u", realm="r", response="6629fae49393a05397450978507c4ef1"⟧',
    "Authorization: AWS4-HMAC-SHA256 ⟦Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, Signature=5d672d79c15b13162d9279b0855cfba6⟧",
    "request failed: bearer ⟦eXaMpLe0123456789token⟧ rejected",
    # PEM
    f"{_PEM_HEAD}⟦{_NL}{_NL.join(_PEM_BODY)}⟧{_NL}{_PEM_TAIL}{_NL}done",
    f"{_SSH_HEAD}⟦{_NL}{_NL.join(_SSH_BODY)}⟧{_NL}{_SSH_TAIL}",
    f"key: |{_NL}  {_EC_HEAD}⟦{_NL}  {_DEEPER.join(_EC_BODY)}⟧{_NL}  {_EC_TAIL}{_NL}next: 1",
    f'{{"key":"{_PEM_HEAD}⟦\\n{_ESCAPED.join(_PEM_BODY)}⟧\\n{_PEM_TAIL}\\n","x":1}}',
    f"{_PEM_HEAD}⟦{_NL}{_NL.join(_PEM_BODY[:2])}⟧{_NL}2024-01-01 12:00:00 truncated output",
    f"api-1  | {_PEM_HEAD}⟦{_NL}api-1  | {_PREFIXED.join(_PEM_BODY)}⟧{_NL}api-1  | {_PEM_TAIL}",
    f"tail of it:{_NL}⟦{_NL.join(_PEM_BODY[1:])}{_NL}⟧{_PEM_TAIL}",
    f"{_PEM_HEAD}⟦{_NL}Proc-Type: 4,ENCRYPTED{_NL}DEK-Info: AES-128-CBC,{_hex(32).upper()}{_NL}{_NL}{_NL.join(_PEM_BODY)}⟧{_NL}{_PEM_TAIL}",
    # Docker
    '{"auths":{"registry.test:5000":{"auth":"⟦bWFlc3RybzpzM2NyM3RwYXNz⟧"}}}',
    '{"auths": {"https://index.docker.io/v1/": {"identitytoken": "⟦0c1d2e3f-token⟧"}}}',
    # query strings
    "GET /cb?access_token=⟦abc123XYZ⟧&state=xyz HTTP/1.1",
    "https://x.blob.core.windows.net/c/b?sv=2022-11-02&se=2024-01-01&sig=⟦aBcD%2BeFg%2F12%3D⟧&sp=r",
    "https://s3.example.com/b/k?X-Amz-Date=20240101T000000Z&X-Amz-Signature=⟦0123456789abcdef0123456789abcdef⟧",
    "https://hooks.slack.com/services/⟦T0AAAAAAA/B0BBBBBBB/" + _some(24) + "⟧",
    "POST https://api.telegram.org/bot⟦" + _TOKENS["telegram"] + "⟧/sendMessage",
    f"AccountName=acct;AccountKey=⟦{_b64(64)}⟧;EndpointSuffix=core.windows.net",
    "Server=db;Database=app;User Id=sa;Password=⟦P@ssw0rd!⟧;Encrypt=true",
    "jdbc:mysql://db:3306/app?user=app&password=⟦jd8c.Pw⟧&useSSL=false",
    f"aws_secret_access_key = ⟦{_AWS_SECRET}⟧",
]

FIELDS: list[str] = [
    # JSON
    '{"user":"bob","password":"⟦hunter2⟧","age":3}',
    '{"password": "⟦with \\"quotes\\" and, commas⟧", "x": 1}',
    '{"password":⟦12345678⟧,"port":5432}',
    '{\n  "db": {\n    "password":\n      "⟦x y z⟧"\n  }\n}',
    'msg="{\\"api_key\\":\\"⟦k-99887766⟧\\",\\"id\\":7}"',
    '"{\\\\\\"client_secret\\\\\\":\\\\\\"⟦deep-down-1⟧\\\\\\"}"',
    '{"clientSecret":"⟦abc⟧","clientId":"def"}',
    '{"accessToken":"⟦t1⟧","refreshToken":"⟦t2⟧","expiresIn":3600}',
    "{'password': '⟦p y⟧', 'user': 'x'}",
    "{'token': b'⟦bytes1⟧'}",
    '{"passwords": ["⟦one1⟧", "⟦two2⟧"]}',
    '{"name": "DB_PASSWORD", "value": "⟦from-pair⟧"}',
    '{"value": "⟦other-way⟧", "name": "API_TOKEN"}',
    '{\n  "name": "SMTP_PASSWORD",\n  "value": "⟦mail pw⟧"\n}',
    # YAML
    "password: ⟦hunter2⟧",
    "db_password: ⟦abc#def⟧",
    "password: '⟦it''s secret⟧'",
    'password: "⟦a: b # c⟧"',
    "  postgres_password: ⟦s3cret⟧   # rotated in May",
    "passphrase: ⟦correct horse battery staple⟧",
    "password: |\n  ⟦line one⟧\n  ⟦line two⟧\nuser: x",
    "private_key: >-\n    ⟦abc def⟧\n    ⟦ghi⟧\n\nother: 1",
    "- name: DB_PASSWORD\n  value: ⟦s3cr3t⟧\n- name: DB_HOST\n  value: db",
    '- name: DB_PASSWORD\n  value: "⟦s3 cr3t⟧"',
    "environment:\n  POSTGRES_PASSWORD: ⟦abc⟧\n  POSTGRES_USER: app",
    "environment:\n  - POSTGRES_PASSWORD=⟦abc⟧\n  - POSTGRES_USER=app",
    "password:\n  ⟦hunter2⟧\nuser: x",
    "token: !!str ⟦12345678⟧",
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\ndata:\n  username: ⟦YWRtaW4=⟧\n  config: ⟦Zm9vYmFy⟧\ntype: Opaque",
    "kind: Secret\nstringData:\n  dsn: ⟦anything here⟧\n",
    # env
    "DB_PASSWORD=⟦abc⟧",
    "export API_TOKEN=⟦abc-def⟧",
    "export SECRET_KEY='⟦a b c⟧'",
    'AWS_SECRET_ACCESS_KEY="⟦abcd/efgh+ijkl⟧"',
    "PGPASSWORD=⟦pw1⟧ psql -h db",
    "env DB_PASS=⟦a&b;c⟧ ./run",
    "POSTGRES_PASSWORD=⟦a$b!c⟧",
    "MYSQL_ROOT_PASSWORD=⟦toor99⟧",
    "REDIS_PASSWORD=⟦pa=ss==⟧",
    '"Env": [\n  "PATH=/usr/bin",\n  "DB_PASSWORD=⟦s3cret⟧",\n  "LANG=C"\n]',
    '"Env":["SECRET_KEY_BASE=⟦0badc0de⟧","HOME=/root"]',
    "SECRET_KEY=⟦django-insecure-a(b)c$d⟧",
    "JWT_SECRET: ⟦qwerty⟧",
    "SESSION_SECRET=⟦s⟧",
    "APP_KEY=⟦base64:abcdEFGH1234⟧",
    # ini, properties, toml
    "password = ⟦hunter2⟧",
    "[client]\npassword=⟦hunter2⟧\nuser=root",
    "spring.datasource.password=⟦jdbcPw⟧",
    "db.password: ⟦x⟧",
    'api_key = "⟦abc⟧"',
    "secret-key = '⟦abc⟧'",
    "//registry.example.org/:_authToken=⟦abcdef-123⟧",
    "requirepass ⟦foobared⟧",
    # logs
    "level=info msg=login user=bob password=⟦hunter2⟧ status=ok",
    'level=info password="⟦a b⟧" user=x',
    "2024-01-01 INFO token=⟦abc123⟧, user=bob",
    "config{User:app Password:⟦hunter2⟧ Port:5432}",
    'Config{Password:"⟦hunter2⟧", Port:5432}',
    "the new password is ⟦hunter2!x⟧",
    "\x1b[34mpassword\x1b[0m=\x1b[32m⟦hunter2⟧\x1b[0m",
    "api-1  | password: ⟦hunter2⟧",
    "(secret=⟦abc⟧)",
    # XML, code
    "<password>⟦hunter2⟧</password>",
    '<Password type="x">⟦hunter2⟧</Password>',
    '<add key="ApiSecret" value="⟦abc⟧"/>',
    '<property name="password" value="⟦abc⟧"/>',
    '<entry key="password">⟦abc⟧</entry>',
    '<user name="x" password="⟦abc⟧"/>',
    "$config['password'] = '⟦abc⟧';",
    ':password => "⟦abc⟧",',
    "'password' => '⟦abc⟧',",
    'const apiKey = "⟦abc⟧";',
    'password := "⟦abc⟧"',
    'String password = "⟦abc⟧";',
    'client_secret   = "⟦abc⟧"\nclient_id = "x"',
    # SQL
    "CREATE USER app WITH PASSWORD '⟦s3 cr''et⟧';",
    "ALTER ROLE app PASSWORD '⟦abc⟧'",
    "CREATE USER 'a'@'%' IDENTIFIED BY '⟦abc⟧'",
    # netrc, pgpass
    "machine api.example.com login bob password ⟦hunter2⟧",
    "machine api.example.com\n  login bob\n  password ⟦hunter2⟧\n",
    "default login anonymous password ⟦x@y⟧",
    "db.example.com:5432:app:bob:⟦hunter2⟧",
    "*:*:*:postgres:⟦hunter2⟧",
    "host=db port=5432 user=app password=⟦abc⟧ sslmode=require",
    "host=db password='⟦a b⟧' user=app",
    "root:⟦$6$salt$" + _some(86) + "⟧:19000:0:99999:7:::",
]

COMMANDS: list[str] = [
    "mysql -u root -p⟦hunter2⟧ -h db app",
    "mysqldump --user=root --password=⟦hunter2⟧ app",
    "mysql -uroot -p'⟦a b⟧' app",
    "docker login -u bob -p ⟦hunter2⟧ registry.test:5000",
    "docker login --username bob --password ⟦hunter2⟧",
    "podman login -p=⟦hunter2⟧ quay.example",
    "redis-cli -h cache -a ⟦hunter2⟧ ping",
    "redis-cli --pass ⟦hunter2⟧ info",
    "sshpass -p ⟦hunter2⟧ ssh root@host",
    "sshpass -p'⟦hunter2⟧' ssh root@host",
    "sshpass -p⟦hunter2⟧ scp a b:",
    "cypher-shell -u neo4j -p ⟦hunter2⟧ 'RETURN 1'",
    "curl -u bob:⟦hunter2⟧ https://example.com",
    "curl --user 'bob:⟦hunter2 x⟧' https://example.com",
    "wget --http-password=⟦abc⟧ https://example.com",
    "mongosh -u root -p ⟦abc⟧ --authenticationDatabase admin",
    "ldapsearch -x -D cn=admin -w ⟦abc⟧ -b dc=x",
    "openssl enc -aes-256-cbc -k ⟦abc⟧ -in f",
    "openssl rsa -in k.pem -passin pass:⟦abc⟧",
    "htpasswd -bB /etc/htpasswd bob ⟦hunter2⟧",
    "zip -P ⟦abc⟧ a.zip b",
    "7z a -p⟦abc⟧ a.7z b",
    "app --token ⟦abc123⟧ --verbose",
    "app --api-key=⟦abc123⟧ run",
    'app --db-password "⟦a b c⟧" run',
    '["mysql", "-p⟦hunter2⟧", "-h", "db"]',
    '["redis-cli", "-a", "⟦hunter2⟧", "ping"]',
    "['docker', 'login', '-u', 'bob', '-p', '⟦hunter2⟧']",
    '["app", "--password", "⟦hunter2⟧"]',
    "command:\n  - app\n  - --password\n  - ⟦hunter2⟧\n  - --port\n  - '80'",
    "echo ⟦hunter2⟧ | docker login -u bob --password-stdin reg",
    "echo 'root:⟦hunter2⟧' | chpasswd",
    "kubectl create secret generic x --from-literal=anything=⟦abc⟧",
    "rabbitmqctl add_user bob ⟦hunter2⟧",
    "vault kv put secret/app foo=⟦bar1⟧",
    "vault login ⟦s.abcdefgh⟧",
    "aws configure set aws_secret_access_key ⟦abcdEFGH⟧",
    "smbclient //srv/share -U bob%⟦hunter2⟧",
    "ansible-playbook site.yml -e db_password=⟦abc⟧",
    "mount -t cifs //s/x /mnt -o username=bob,password=⟦abc⟧,vers=3.0",
    "docker run -e POSTGRES_PASSWORD=⟦abc⟧ -d postgres:17",
    "docker run --env 'API_TOKEN=⟦a b⟧' img",
    "ssh-keygen -t ed25519 -N ⟦abc⟧ -f key",
    "keytool -genkey -storepass ⟦changeit1⟧ -alias x",
    "sudo mysql --defaults-file=/x -p⟦pw⟧",
    "mysql \\\n  -u root \\\n  -p⟦hunter2⟧ \\\n  app",
    "redis-server --requirepass ⟦abc⟧",
    "sqlcmd -S srv -U sa -P ⟦Passw0rd⟧ -Q 'select 1'",
    "sqlplus scott/⟦tiger⟧@orcl",
    "tailscale up --authkey ⟦abc123⟧",
]

HARMLESS: list[str] = [
    # digests, ids, versions
    f"sha256:{_hex(64)}",
    f"registry.test:5000/jessy-core@sha256:{_hex(64)}",
    f"Digest: sha256:{_hex(64)} Status: Downloaded newer image for alpine:3.20",
    f"commit {_hex(40)}",
    f"HEAD is now at {_hex(7)} Fix the build",
    f"request_id={_hex(8)}-{_hex(4)}-4{_hex(3)}-a{_hex(3)}-{_hex(12)}",
    f"{_hex(12)}   jessy-core   Up 3 minutes (healthy)   0.0.0.0:8080->8080/tcp",
    f"container {_hex(64)} started",
    f"md5 {_hex(32)}  file.tar.gz",
    f"integrity sha512-{_b64(64)}",
    f"h1:{_b64(32)}",
    "python 3.11.7, ansible-core 2.19.14, docker 26.1.5",
    f'etag: W/"{_hex(32)}"',
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{_b64(32)[:43]} bob@host",
    f"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ{_b64(90)} bob@host",
    f"SHA256:{_b64(32).rstrip('=')} root@host (ED25519)",
    f"{_PUB_HEAD}\n{_NL.join(_PUB_BODY)}\n{_PUB_TAIL}",
    f"{_CRT_HEAD}\n{_NL.join(_CRT_BODY)}\n{_CRT_TAIL}",
    f"age1{_some(58, 'qpzry9x8gf2tvdw0s3jn54khce6mua7l')}",
    "pk_live_" + _some(24),
    # names that hold no secret
    "POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password",
    "password_file: /run/secrets/db_password",
    "token_url: https://auth.example.com/oauth/token",
    "TOKEN_URL=https://auth.example.com/token",
    '"max_tokens": 4096, "temperature": 0.7',
    "max_tokens=512 total_tokens=1834 prompt_tokens=34",
    "secretName: tls-cert",
    "secretKeyRef:\n  name: app\n  key: db-password",
    "imagePullSecrets:\n- name: regcred",
    '"tokenizer": "cl100k_base"',
    "token_type: bearer",
    '{"token_type":"Bearer","expires_in":3600}',
    "password_policy: strong",
    "password_length: 32",
    "password_min_length = 12",
    "passwordless: true",
    "secret_version: 3",
    "primary_key: id",
    "key: value",
    "keyboard: us",
    "foreign_key: user_id, sort_key: created_at",
    "public_key: abcdef",
    "cache_key=users:42",
    "author: Bob",
    "authority: example.com",
    "authorized_keys: 3 entries",
    "compass: north",
    "proxy_pass http://backend:8080;",
    "secrets:\n  - db_password\n  - api_key",
    "secrets:\n  db_password:\n    file: ./secrets/db_password",
    "access_key_count: 3",
    "next_token: eyJsYXN0IjoxfQ",
    "password_changed_at: 2024-01-01",
    "pass: 12 fail: 0 skip: 3",
    "api_token_id: 42",
    # references, templates, masks, nothing
    "POSTGRES_PASSWORD=${POSTGRES_PASSWORD}",
    "password: ${DB_PASSWORD:-changeme}",
    "password: $DB_PASSWORD",
    "password: {{ db_password }}",
    'password: "{{ vault_db_password | mandatory }}"',
    "token: ${{ secrets.GITHUB_TOKEN }}",
    "password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162636465",
    "password: ENC[AES256_GCM,data:abcd,iv:ef==,tag:gh==,type:str]",
    "password = os.environ['DB_PASSWORD']",
    'password = os.getenv("DB_PASSWORD")',
    "const token = process.env.API_TOKEN;",
    "password = var.db_password",
    "password: ***",
    "password: ********",
    "password=<redacted>",
    "password: [REDACTED]",
    "token = <your-token>",
    "password:",
    "password: null",
    'password: ""',
    '{"password": null, "token": "", "secret": false}',
    "password=",
    "DB_PASSWORD=\nDB_USER=app",
    "password: true",
    "token=None",
    "--password-stdin",
    "docker login -u bob --password-stdin registry.test:5000",
    'docker login -u bob -p "$PASSWORD"',
    "mysql -u root -p",
    "mysql -u root -p$MYSQL_ROOT_PASSWORD app",
    "mysql -h db -P 3306 -u root app",
    "docker run -p 8080:80 nginx",
    "docker compose -p jessy up -d",
    "mkdir -p /opt/maestro/jessy",
    "ssh -p 2222 root@host",
    "cp -a a b && tar -czf x.tgz .",
    'curl -u "$USER:$PASS" https://example.com',
    "curl -fsS http://127.0.0.1:8081/api/health",
    "psql -U app -p 5432",
    "docker build --secret id=ca,src=/etc/ssl/ca.crt .",
    "docker service create --secret db_password nginx",
    "docker secret ls",
    "kubectl get secret app -o yaml",
    # prose
    "Enter password: ",
    "Password for user postgres: ",
    'FATAL: password authentication failed for user "app"',
    "password: must be at least 8 characters",
    "The --password option is deprecated",
    "use --password to set the password",
    "Invalid token: expected ',' but found '}'",
    "SyntaxError: Unexpected token < in JSON at position 0",
    "WARNING: Using --password via the CLI is insecure. Use --password-stdin.",
    "bearer token authentication enabled",
    "basic auth is enabled",
    'WWW-Authenticate: Bearer realm="https://auth.example.com/token",service="registry"',
    "Login Succeeded",
    "Authorization header missing",
    "Authentication: required",
    "no secrets were found",
    'secret "db" not found',
    "TASK [Write the secrets of the stack] *******",
    "changed: [staging-1] => (item=db_password)",
    "cookie consent: accepted",
    "see https://example.com/docs/tokens?page=2#auth",
    "git@github.com:org/repo.git",
    "ssh://git@git.example.com:22/org/repo.git",
    "bob@example.com wrote to alice@example.com",
    "http://localhost:3000/@scope/pkg@1.2.3",
    "npm install @scope/token@1.0.0",
    "user:1000:group",
    "127.0.0.1:5432:accepting connections",
    "12:30:45 up 3 days",
    "50% done, 100%25 more",
    "C:\\new\\table\\path",
    "a && b || c; d & e",
    'ok: [staging-1] => {"changed": false, "ping": "pong"}',
    "PLAY RECAP ****************************************************",
    "staging-1 : ok=12 changed=0 unreachable=0 failed=0 skipped=3 rescued=0 ignored=0",
    "Größe: 3 µm — naïve café ✓",
    "key=value; other=thing",
    "monkey: banana",
    "token bucket: rate=100 burst=200",
    "tokens=1024",
    "GET /api/tokens HTTP/1.1 200 12ms",
    "jwt: enabled",
    "otp: false",
    "pin: 17",
    "exit code: 137",
    "code=200 status=ok",
    "signature: valid",
    "salt: 3 pinches",
    "import secrets; secrets.token_hex(16)",
    "def login(user: str, password: str) -> Token:",
    "password: string",
    "func New(password string) error {",
    "x.password = password",
    "self.token = token",
    "no_log: true",
]


# One case a line, where \\n stands for a line break.
LINES: list[str] = [
    line if "\\\\" in line else line.replace("\\n", "\n")
    for line in r"""
db:\n  user: app\n  password: ⟦s3cr,et⟧\n  host: db
password: ⟦s3cr;et&x⟧
- password: ⟦abc⟧
{"db_password": "⟦a\\\\b⟧", "x": 1}
{"token":"⟦abc⟧"}
{"Password":"⟦x⟧","ConnectionStrings":{"Default":"Server=.;Password=⟦y1⟧;Database=z"}}
export DB_PASSWORD="⟦a b c⟧"; ./run
DB_PASSWORD='⟦a b⟧' ./run
set -x\n+ DB_PASSWORD=⟦abc⟧\n+ ./run
+ mysql -uroot -p⟦abc⟧ db
ENV API_KEY=⟦abc⟧
ENV API_KEY ⟦abc⟧
ARG TOKEN=⟦abc⟧
docker run -d -e API_KEY=⟦abc⟧ -e OTHER=1 img
docker run --env=API_KEY=⟦abc⟧ img
      - API_KEY=⟦abc⟧
      API_KEY: ⟦abc⟧
      API_KEY: "⟦abc⟧"
api_key=⟦abc⟧ region=eu
apiKey=⟦abc⟧&page=2
https://api.example.com/v1?api_key=⟦abc⟧&page=2
https://api.example.com/v1?page=2&token=⟦abc.def-ghi⟧#frag
POST /login username=bob&password=⟦p%40ss⟧&remember=1
{"username":"bob","password":"⟦hunter2⟧"}
<connectionString>Server=db;User Id=sa;Password=⟦P@ss1⟧;</connectionString>
<secret>⟦abc⟧</secret>
<api-key>⟦abc⟧</api-key>
<param name="api_token">⟦abc⟧</param>
<env name="DB_PASSWORD" value="⟦abc⟧" />
<server><username>bob</username><password>⟦abc⟧</password></server>
password="⟦abc⟧"
password='⟦abc⟧'
password : ⟦abc⟧
"password" : "⟦abc⟧"
'password': "⟦it's⟧"
password => ⟦abc⟧
[default]\naws_access_key_id = ⟦AKIAIOSFODNN7EXAMPLE⟧\naws_secret_access_key = ⟦wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY⟧\nregion = eu
machine github.com login bob password ⟦abc⟧ machine x.org login al password ⟦def⟧
machine github.com\nlogin bob\npassword ⟦abc⟧
localhost:5432:*:app:⟦abc⟧
localhost:5433:mydb:app:⟦abc⟧
rootpw: ⟦abc⟧
smtp_password = ⟦abc⟧ ; comment
password = ⟦abc⟧ # comment
redis.password=⟦abc⟧
spring.redis.password=⟦a!b@c#d⟧
password=⟦abc⟧,user=bob
(user=bob, password=⟦abc⟧)
{user=bob, password=⟦abc⟧}
map[password:⟦abc⟧ user:bob]
User{name='bob', password='⟦abc⟧'}
Credentials(username=bob, password=⟦abc⟧)
{:password "⟦abc⟧" :user "bob"}
#<User password: "⟦abc⟧", name: "x">
password: ⟦abc⟧, user: bob
user: bob, password: ⟦abc⟧, port: 1
"DB_PASSWORD=⟦abc⟧"
["DB_PASSWORD=⟦abc⟧","A=b"]
env: {"DB_PASSWORD": "⟦abc⟧"}
DB_PASSWORD: ⟦abc⟧
TF_VAR_db_password=⟦abc⟧
GITHUB_TOKEN=⟦abc⟧
SECRET=⟦abc⟧
TOKEN=⟦abc⟧
PASS=⟦abc⟧
DB_PASS=⟦1234⟧
MYSQL_PWD=⟦abc⟧
SSH_PASSPHRASE=⟦abc⟧
ENCRYPTION_KEY=⟦abc⟧
SENTRY_DSN=https://⟦0123456789abcdef0123456789abcdef⟧@o1.ingest.sentry.io/1
AZURE_CLIENT_SECRET=⟦abc~def⟧
GOOGLE_APPLICATION_CREDENTIALS=/etc/gcp/key.json
DOCKER_AUTH_CONFIG={"auths":{"r":{"auth":"⟦dTpwYXNz⟧"}}}
_authToken=⟦abc⟧
//registry.example.org/:_password=⟦YWJj⟧
always-auth=true
index-url = https://bob:⟦abc⟧@pypi.example.com/simple
repository: https://bob:⟦abc⟧@git.example.com/x
smtp://bob:⟦abc⟧@mail:25
ldap://cn=admin:⟦abc⟧@ldap
bolt://neo4j:⟦abc⟧@graph:7687
clickhouse://default:⟦a-b_c⟧@ch:9000/db
nats://⟦abcdef1234567890abcd⟧@nats:4222
kafka sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="a" password="⟦b⟧";
ssl.keystore.password=⟦abc⟧
"private_key_id": "abc123"
hunter2 is not here
secret: ⟦abc⟧
client_secret: ⟦abc⟧
clientSecret: '⟦abc⟧'
webhook_secret = "⟦abc⟧"
signing_key: ⟦abc⟧
session_key=⟦abc⟧
auth_token: ⟦abc⟧
authToken: "⟦abc⟧"
bearer_token: ⟦abc⟧
access_token: ⟦abc⟧
refresh_token=⟦abc⟧
id_token=⟦eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdef⟧
x-api-key: ⟦abc⟧
"x-api-key": "⟦abc⟧"
X-Auth-Key: ⟦abc⟧
X-Registry-Auth: ⟦eyJ1c2VybmFtZSI6ImJvYiJ9⟧
X-Amz-Security-Token: ⟦FwoGZXIvYXdzE⟧
X-CSRF-Token: ⟦abc123⟧
Api-Key: ⟦abc⟧
Ocp-Apim-Subscription-Key: ⟦abcdef⟧
Authorization: ⟦abcdef123456⟧
Authorization: ApiKey ⟦abcdef⟧
Cookie: a=⟦b1⟧
set-cookie: sid=⟦abc⟧; HttpOnly
Cookie: PHPSESSID=⟦abc123⟧
< Set-Cookie: token=⟦abc⟧; Path=/
curl -b 'session=⟦abc⟧' https://x
curl -H "X-Api-Key: ⟦abc⟧" https://x
curl -H 'Authorization: Basic ⟦YTpi⟧' x
curl -ubob:⟦abc⟧ https://x
curl -d 'user=bob&password=⟦abc⟧' https://x
curl -d '{"password":"⟦abc⟧"}' x
curl --data-raw "password=⟦abc⟧" x
curl -fsS -u elastic:⟦abc⟧ http://es:9200/_cluster/health
wget --user=bob --password=⟦abc⟧ https://x
wget --user bob --password '⟦a b⟧' https://x
http -a bob:⟦abc⟧ GET x.org
sshpass -p "⟦a b⟧" ssh x
sshpass -e ssh x
redis-cli -a ⟦abc⟧
redis-cli -u redis://:⟦abc⟧@h:6379
docker exec r redis-cli -a "⟦abc⟧" ping
docker exec db mysql -uroot -p⟦abc⟧ -e 'select 1'
docker exec -e PGPASSWORD=⟦abc⟧ db psql -U app
docker compose exec db psql postgresql://u:⟦p1⟧@h/db
cypher-shell -a bolt://x -u neo4j -p "⟦abc⟧"
cypher-shell -u neo4j --password ⟦abc⟧
CMD ["redis-server", "--requirepass", "⟦abc⟧"]
command: redis-server --requirepass ⟦abc⟧ --port 6379
command: ["redis-server", "--requirepass", "⟦abc⟧"]
test: ["CMD", "redis-cli", "-a", "⟦abc⟧", "ping"]
test: ["CMD-SHELL", "mysqladmin ping -p⟦abc⟧"]
healthcheck: mysqladmin ping -h localhost -p⟦abc⟧
args: ['--token=⟦abc⟧', '--x']
"--token", "⟦abc⟧"
"args": ["--api-key", "⟦abc⟧", "-v"]
ps: root 123 0.0 mysqld --password=⟦abc⟧ --port=3306
--db.password=⟦abc⟧
-Dpassword=⟦abc⟧
-Dspring.datasource.password=⟦abc⟧ -jar app.jar
-e password=⟦abc⟧
--set auth.password=⟦abc⟧
helm install x --set postgresql.auth.password=⟦abc⟧,replicas=2
--from-literal=password=⟦abc⟧
psql "host=db user=app password=⟦abc⟧ dbname=x"
psql "postgresql://app:⟦abc⟧@db/x"
pg_dump --dbname=postgres://app:⟦abc⟧@db/x
mongodump --uri mongodb://u:⟦abc⟧@h/db
mongodump -u root -p ⟦abc⟧ --db x
mongo -u root -p⟦abc⟧
mysql --user=root --password="⟦abc⟧" db
mysql -u root --password ⟦abc⟧ db
MYSQL_PWD=⟦abc⟧ mysqldump db
echo "⟦abc⟧" | docker login --username bob --password-stdin
echo ⟦abc⟧ | sudo -S ls
printf '%s' '⟦abc⟧' | docker login -u b --password-stdin r
docker login -u bob --password=⟦abc⟧ r
docker login -p ⟦abc⟧ -u bob
az login --service-principal -u x -p ⟦abc⟧ --tenant t
gh auth login --with-token <<< ⟦abc⟧
vault write auth/x password=⟦abc⟧
VAULT_TOKEN=⟦abc⟧ vault status
helm registry login -u b -p ⟦abc⟧ r
ansible all -m ping -e ansible_password=⟦abc⟧
ansible_become_pass=⟦abc⟧
ansible_ssh_pass: ⟦abc⟧
host1 ansible_user=root ansible_password=⟦abc⟧ ansible_port=22
openssl pkcs12 -passout pass:⟦abc⟧
java -Djavax.net.ssl.keyStorePassword=⟦abc⟧ -jar x
CREATE ROLE app LOGIN PASSWORD '⟦abc⟧';
ALTER USER root IDENTIFIED BY '⟦abc⟧';
ALTER USER 'root'@'localhost' IDENTIFIED WITH mysql_native_password BY '⟦abc⟧';
SET PASSWORD FOR 'a'@'%' = PASSWORD('⟦abc⟧');
CREATE USER MAPPING OPTIONS (user 'bob', password '⟦abc⟧')
the password is ⟦Xy7-abc⟧
Generated password: ⟦Xy7abc⟧
Your temporary password is: ⟦Xy7-abc⟧
root password: ⟦Xy7-abc⟧
2024-01-01T00:00:00Z INFO api_key: ⟦abc123def⟧ loaded
time="2024" level=info msg="login" token="⟦abc⟧"
{"level":"info","msg":"x","headers":{"Authorization":["Bearer ⟦abc⟧"],"Cookie":["a=⟦b1⟧"]}}
{"env":[{"name":"DB_PASSWORD","value":"⟦abc⟧"},{"name":"A","value":"b"}]}
{"env":[{"name":"A","value":"b"},{"name":"DB_PASSWORD","value":"⟦abc⟧"}]}
  - name: API_TOKEN\n    value: "⟦abc⟧"\n  - name: X\n    value: y
  - {name: API_TOKEN, value: ⟦abc⟧}
  - name: API_TOKEN\n    valueFrom:\n      secretKeyRef:\n        name: x\n        key: token
key: DB_PASSWORD\nvalue: ⟦abc⟧
secret_key: |\n  ⟦abc⟧\n  ⟦def⟧\nport: 1
tls_private_key: |\n  -----BEGIN PRIVATE KEY-----⟦\n  MIIEvQIBADANBgkqhkiG9w0BAQEFAASC⟧\n  -----END PRIVATE KEY-----\nport: 1
password: >\n  ⟦abc def⟧\nport: 1
api-1  | DB_PASSWORD=⟦abc⟧
api-1  | {"password":"⟦abc⟧"}
jessy-api-1  | time=x token=⟦abc⟧ ok
Login failed for user 'sa' with password '⟦abc⟧'
auth=⟦dXNlcjpwYXNz⟧
requirepass "⟦abc⟧"
masterauth ⟦abc⟧
passwd: ⟦abc⟧
pwd=⟦abc⟧
Pwd=⟦abc⟧;
secretKey: ⟦abc⟧
s3.secret-key=⟦abc⟧
license_key=⟦ABCD-1234⟧
pin: ⟦4821⟧
otp=⟦123456⟧
""".strip("\n").split("\n")
]

HARMLESS += ['run "mysql -p" and "mysql -u root" then', "use 'redis-cli -a' or 'redis-cli' alone"]

HARMLESS += [
    line.replace("\\n", "\n")
    for line in r"""
PWD=/opt/maestro
pwd
OLDPWD=/root
password_reset_url: https://x.org/reset
reset_password_token_expiry: 3600
PASSWORD_MIN_LENGTH=8
password_hash_algorithm: bcrypt
TOKEN_ENDPOINT=https://x/token
token_endpoint: "https://x/token"
tokens_used: 512
"usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
secret_name: db-credentials
secretName: db-credentials
secretRef:\n  name: app
"secrets": ["db_password"]
SECRET_PATH=/run/secrets/x
SECRETS_DIR=/run/secrets
API_KEY_FILE=/run/secrets/api_key
api_key_header: X-Api-Key
api_key_name: prod-key
apiKeyId: abc123
key_file: /etc/ssl/key.pem
ssl_key: /etc/ssl/private/key.pem
private_key_path: ~/.ssh/id_ed25519
IdentityFile ~/.ssh/id_ed25519
public_key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx
host_key_checking = False
keyspace: users
keyboard: de
monkey=1
turkey: yes
hotkey: ctrl+c
key=value
keys: 12
primary key: id
KEY (id)
partition_key: user_id
routing_key: orders.created
idempotency_key: 4f1c2a
ssh_host_key_type: ed25519
token_bucket_size: 10
tokenize: true
csrf_enabled: true
author: Bob
authors: [a, b]
authenticated: true
auth: enabled
auth_type: basic
auth_method: token
auth_url: https://x
authorization: enabled
oauth_scopes: read write
bearer_format: JWT
credentials_file: /etc/x.json
credentials: include
withCredentials: true
use_credentials=yes
passthrough: true
passive: yes
passed: 12
PASS: test_x
PASS
--- PASS: TestLogin (0.00s)
pass=12 fail=0
tests passed=10 failed=0
bypass: true
compass: n
passport_number: x
session_timeout: 3600
session_id_length: 32
cookie_domain: example.com
cookie_secure: true
Cookie: 
Set-Cookie: 
pinned: true
shipping: yes
spin: 12
code: 200
exit_code=1
zip_code: 12345
signature_algorithm: RS256
salt_length: 16
hash: 5d41402abc4b2a76b9719d911017c592
checksum: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
image: postgres:17@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
image: redis:7.2-alpine
commit 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c
revision=2cf24db
id: 550e8400-e29b-41d4-a716-446655440000
request-id: 550e8400-e29b-41d4-a716-446655440000
container_id: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
v1.2.3-rc.1+build.5
1.2.3
0.0.0.0:5432->5432/tcp
http://localhost:8080/health
https://example.com/path?page=2&sort=asc
https://example.com/login?redirect=/token
redis://cache:6379/0
postgres://db:5432/app
postgres://app@db:5432/app
postgres://${DB_USER}:${DB_PASSWORD}@db/app
postgres://user:***@db/app
postgres://{{ user }}:{{ password }}@db/app
https://user@example.com/
git+ssh://git@github.com/x/y.git
mailto:bob@example.com
password=${DB_PASSWORD}
password=$DB_PASSWORD
password="$DB_PASSWORD"
password="${DB_PASSWORD:?missing}"
password=$(cat /run/secrets/db)
password=$(pass show db)
password=`cat x`
password: "{{ lookup('env','PW') }}"
password: !vault |
password: !secret db_password
password: <password>
password: "<redacted>"
password: [REDACTED]
password: [FILTERED]
password: (hidden)
password: xxxxxxxx
password: ******
password: null
password: ~
password: none
password: ''
password: ""
password: 
password=
"password": null
"password":""
"token": false
password: undefined
password: !!null
"password": {"type": "string", "minLength": 8}
password: {type: string}
"required": ["password", "token"]
password: string
password: str = Field(...)
password: Optional[str] = None
def f(password=None):
f(password=password)
password = get_secret("db")
token = os.environ.get("TOKEN")
token := os.Getenv("TOKEN")
let token = process.env.TOKEN
secret = vault.read('x')
if password == "":
if not password:
password != other
return token
Enter password:
New password: 
Retype new password: 
Password: 
password for bob: 
sudo: a password is required
Permission denied (publickey,password).
bob@host's password: 
invalid password
wrong password for user bob
password expired
password authentication failed
password changed successfully
Password must contain a digit
password is required
password is incorrect
password is too short
The token is invalid
token is expired
token has expired
token: invalid
unexpected token: }
Unexpected token 'x' at line 3
CSRF token missing
missing token
secret not found: db
secret/db created
secret "db" created
created secret db_password
no such secret: db_password
Using secret db_password from vault
Reading secrets from /run/secrets
docker secret create db_password -
docker secret rm db_password
kubectl create secret generic x --from-file=./x
kubectl get secrets
docker login registry.test:5000
docker login -u bob
docker run -p 80:80 -v /a:/b nginx
docker run --rm -it -p 127.0.0.1:8080:80 x
docker compose -f a.yml -p proj up -d
docker ps -a
docker build -t x -f Dockerfile .
mkdir -p /a/b
cp -p a b
ssh -p 22 x
scp -P 2222 a b:
ps -p 1
netstat -plnt
nmap -p 80,443 x
mysql -p
mysql -uroot -p db < dump.sql
mysql -u root -h db -P 3306
mysqldump --single-transaction -u root db
psql -h db -p 5432 -U app
pg_isready -U app -p 5432
redis-cli -h cache -p 6379 ping
redis-cli ping
curl -u bob https://x
curl -s -o /dev/null -w '%{http_code}' https://x
curl -X POST https://x/token
tar -xzf a.tgz -C /a
tar --pass-through x
gpg --import key.asc
openssl rand -base64 32
openssl req -x509 -newkey rsa:4096 -nodes
ssh-keygen -t ed25519 -f key
ssh-keygen -t ed25519 -N "" -f key
htpasswd -c file bob
vault kv get secret/app
vault status
zip -r a.zip b
unzip -q a.zip
az login
aws s3 ls
gh pr list
--password-stdin
--password-file /x
--token-file=/x
--secret id=x,src=/y
--no-password
--ask-pass
--ask-vault-pass
--key-file x.pem
-p 8080
BEGIN; COMMIT;
-----BEGIN CERTIFICATE-----
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxIbvBPWX8c1Yd5jNyxkVY2kWj9YkUhJsX2Vd1lG6Wn bob@host
Fingerprint: SHA256:uNiVztksCsDhcc0u9e8BgrJXVGLAwAIYEdsfghjkl
ETag: "33a64df551425fcc55e4d42a148795d9f25f89d4"
x-request-id: 7f3c2b1a
content-md5: XrY7u+Ae7tCTyyK7j1rNww==
data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk
integrity="sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC"
"resolved": "https://registry.example.org/x/-/x-1.0.0.tgz"
github.com/x/y v1.2.3 h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
Step 3/10 : RUN pip install x
#5 [2/4] COPY . .
 ---> 2cf24dba5fb0
Successfully built 2cf24dba5fb0
latest: digest: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824 size: 1234
TASK [Log in to the registry] ****
TASK [docker_engine : Write the registry login] ***
ok: [staging-1] => (item={'name': 'db_password', 'owner': 999})
msg: The secret db_password has no value
fatal: [x]: FAILED! => {"msg": "the output has been hidden due to the fact that 'no_log: true' was specified for this result"}
"censored": "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
"password": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
"update_password": "always"
"password_lock": null
update_password: on_create
generate_ssh_key: false
"force_basic_auth": false, "url_username": null, "url_password": null
"client_key": null, "unredirected_headers": []
"ansible_ssh_host_key_ed25519_public": "AAAAC3NzaC1lZDI1NTE5AAAAIH"
"checksum": "da39a3ee5e6b4b0d3255bfef95601890afd80709"
"owner": "root", "mode": "0400", "secret_owners": {"db": 999}
pk_live_abcdefghijklmnopqrstuvwx
pk_test_abcdefghijklmnopqrstuvwx
AKIA
eyJ is how a JWT begins
sk-learn
ghp_ is the prefix
xoxb- tokens start so
price: $5, total: $6$ or $1$
$2.50
50%41
AAPL MSFT
the Bearer of bad news
Bearer token required
basic authentication scheme
Basic auth: disabled
Authorization: enabled
authorization required
no authorization header
Basic usage: run it
Basic configuration2 of the thing
token bucket algorithm
negotiate_timeout: 5
""".strip("\n").split("\n")
]


def expected(case: str, mask: str = "***") -> tuple[str, str]:
    """Return what a case looks like before and after."""
    before = case.replace("⟦", "").replace("⟧", "")
    parts = case.split("⟦")
    after = parts[0] + "".join(mask + part.split("⟧", 1)[1] for part in parts[1:])
    return before, after
