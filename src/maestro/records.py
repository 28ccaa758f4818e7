"""The data that travels between the rooms, and between the controller and its hosts, by name.

All of it is plain: JSON carries it to a host and back, and a release keeps some of it for years.
So the records are `TypedDict`s, which cost nothing where they are read, and modules import them
under ``if TYPE_CHECKING``. What an older version of Maestro wrote may lack the keys of a newer
one: read those with ``.get``.

Facts of the same name as a class (`LeaseFacts`, `host.lease.Lease`) are that class as JSON has it.
"""

# No `from __future__ import annotations`: with it, Python does not know which keys are required.
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

# What Compose reads: its keys are those of https://github.com/compose-spec/compose-spec, after
# `docker compose config` has given each its one long form, and it may have any of them. The whole
# of a file or model; a service of it; a network, volume, secret or config at its top; what is an
# entry below one of these (of `ports`, `configs`, `update_config`); a mount of a service; a subnet
# of a network (of `ipam.config`).
Compose = Mapping[str, Any]
Service = Mapping[str, Any]
Definition = Mapping[str, Any]
Entry = Mapping[str, Any]
Mount = Mapping[str, Any]
Subnet = Mapping[str, Any]
# A service on its way into the release's own file: it is still changed.
Draft = dict[str, Any]
# A Compose file, a service or ``x-maestro`` as somebody wrote it and YAML has it, before Compose
# read it: what stands under a key may be of any kind.
Written = dict[str, Any]
# What stands under ``x-maestro``, see the schema in src/maestro/schema.
Extension = Mapping[str, Any]
# One smoke check of ``x-maestro.smoke``, as the schema has it.
Check = Mapping[str, Any]


class Image(TypedDict):
    """What the registry knows of an image; ``size`` is in bytes, compressed."""

    digest: str
    user: str
    size: int
    checked: NotRequired[bool]  # it has a health check
    volumes: NotRequired[list[str]]  # paths at which it wants a volume
    name: NotRequired[str]  # what a host has it as, where that is not its own: it came over SSH


class FileFacts(TypedDict):
    """A file with its owner and mode, as `host.files.File` writes it down."""

    base64: str
    mode: int
    uid: int
    gid: int
    host: NotRequired[bool]


class FolderFacts(TypedDict):
    """A directory by the paths below it, as `host.folder.Folder` writes it down."""

    folder: dict[str, FileFacts]


class SecretFileFacts(TypedDict):
    """A secret's file of one version for one reader, as `host.secret_files.SecretFile` has it."""

    name: str
    version: str
    uid: int
    gid: NotRequired[int]
    mode: NotRequired[int]
    host: NotRequired[bool]


class HoldFacts(TypedDict):
    """What a container holds that others may want too, as `host.holds.Hold` has it."""

    kind: str
    name: str
    writes: bool


# Of routes.


class RateLimit(TypedDict):
    """Requests on average, in a period of seconds, and at once."""

    average: int
    period: int
    burst: int


class Canary(TypedDict):
    """``weight`` percent of the requests for ``duration`` seconds, while ``checks`` hold."""

    weight: int
    duration: float
    checks: list[Check]


class RouteOptions(TypedDict, total=False):
    """What a route asks of the edge besides, see `stack.route_options`; only what it has."""

    redirect_from: list[str]  # hosts
    strip: bool
    protocol: str
    sticky: str  # the name of the cookie
    headers: dict[str, str]  # of answers
    max_body: int  # bytes
    timeout: float  # seconds until an answer begins
    basic_auth: str  # the secret that has the users
    users: str  # on a host: the file that the edge reads them from, see `host.edge_users`


class Route(TypedDict):
    """A route of ``x-maestro`` with every value there; see `stack.routes.rendered`."""

    name: str
    service: str
    port: int
    hosts: list[str]
    path: str
    health: list[str]
    rate_limit: RateLimit | None
    drain: float  # seconds
    canary: Canary | None
    network: NotRequired[str]
    options: NotRequired[RouteOptions]


class ClaimedRoute(TypedDict):
    """What another stack's route says of the requests it takes."""

    hosts: list[str]
    path: str
    health: list[str]
    options: NotRequired[RouteOptions]


# Of releases.


class JobFacts(TypedDict):
    """See `host.jobs.Job`."""

    waited: bool
    limit: float
    patience: float


class Exchange(TypedDict):
    """How a service's containers are exchanged, see `host.rules.Rules`."""

    watch: NotRequired[float]
    order: str
    parallelism: int
    delay: float
    monitor: float
    on_failure: str
    max_failure_ratio: float


class Exchanges(TypedDict):
    """The rules on the way in and on the way back."""

    update: Exchange
    rollback: Exchange


class BorrowedFacts(TypedDict, total=False):
    """Of whom a service borrows, see `host.borrowed`; empty for most services."""

    borrows: list[str]
    volumes_from: list[str]
    restarts_with: list[str]


class KeptFacts(TypedDict, total=False):
    """The data a service keeps, see `stack.data.Kept`; an older manifest says nothing of it."""

    holds: list[HoldFacts]
    nameless: list[str]
    throw_away: list[str]
    order: str


class LimitFacts(TypedDict, total=False):
    """Limits that a host gives a service that names none."""

    pids: int


class EndFacts(TypedDict, total=False):
    """That a service ends."""

    job: JobFacts


class WatchdogFacts(TypedDict, total=False):
    """Restarts of an unhealthy container within an hour, 0 for none, see `host.watchdog`."""

    watchdog: int


class ServiceFacts(BorrowedFacts, KeptFacts, LimitFacts, EndFacts, WatchdogFacts):
    """What a manifest says of a service besides its definition."""

    image: str  # NAME@DIGEST
    hash: str  # of the definition
    replicas: int
    exchange: Exchanges
    digest: NotRequired[str]
    ask: NotRequired[bool]  # nothing else tells whether it works: its routes are asked


class MigrationFacts(TypedDict):
    """What a release says of the service of a migration."""

    image: str
    hash: str
    holds: NotRequired[list[HoldFacts]]


class SharedNames(TypedDict, total=False):
    """Names on the host that other stacks may use."""

    volumes: list[str]
    networks: list[str]


class Names(TypedDict, total=False):
    """What a stack is called by on its host, see `plan.names.recorded`."""

    containers: dict[str, str]
    volumes: list[str]
    networks: list[str]
    share: SharedNames


class Manifest(TypedDict, total=False):
    """``release.json``: all that is needed to say what serves, and to go back to it.

    Empty where nothing serves. `release.manifest` makes it.
    """

    schema: int
    id: str
    stack: str
    environment: str
    version: str
    previous: str  # id of the release before
    created: str  # UTC, YYYY-MM-DDTHH:MM:SSZ
    by: str
    approved_by: str
    plan: str  # the hash of the plan it came with
    git_commit: str
    config_hash: str
    images: dict[str, Image]  # by reference
    services: dict[str, ServiceFacts]
    migrations: dict[str, str]  # service to the hash of its definition
    migrated: list[str]  # services of the migrations that ran when it came in
    breaking: list[str]  # those of them without a way back
    order: list[list[str]]  # levels in which services start
    routes: list[Route]
    names: Names
    smoke: list[Check]
    secrets: dict[str, str]  # name to version
    configs: dict[str, list[str]]  # name to digests
    userns: dict[str, list[list[int]]]
    made_of: dict[str, Any]  # see `MadeOf`
    promoted: str  # the environment and the release there that it was promoted from
    exceptions: list[str]  # from what a stack may not do, as the plan told them
    rotated: list[str]  # secrets it brought new versions of
    rolled_back_to: str


class Summary(TypedDict):
    """What a choice among releases needs to know of each that is kept."""

    id: str
    version: str
    created: str
    by: str
    previous: str
    secrets: dict[str, str]
    migrated: list[str]
    breaking: list[str]
    images: list[str]
    whole: bool  # its Compose file is there


# Of hosts.


class Foreign(TypedDict):
    """Of a container no release made, see `host.strangers.facts`."""

    made_from: str
    volumes: dict[str, str]
    borrows: list[str]
    ports: list[str]


class DriftFacts(TypedDict):
    """How the Engine has a container, see `host.drift.facts`."""

    image: str
    env: dict[str, str]  # digests of values
    mounts: dict[str, str]
    memory: int  # bytes
    cpus: int  # billionths of one
    restart: str


class Runtime(TypedDict):
    """How a container is closed off, see `host.runtime.Looker.facts`."""

    inspect: Mapping[str, Any]  # as the Engine has it
    kernel: dict[str, int]
    sshd: bool
    host: Mapping[str, Any]


class WatchdogState(TypedDict):
    """What the watchdog did to a container lately; ``until``: it is left as it is till then."""

    restarts: int
    until: str


class Container(TypedDict):
    """A container of the stack, see `host.state.facts_of`."""

    id: str
    name: str
    service: str
    image: str
    hash: str  # of its service's definition when it was made; empty for a foreign one
    foreign: NotRequired[Foreign]
    status: str
    health: str
    started: str
    shares: dict[str, list[str]]  # ids of containers, by the key of the file
    networks: list[str]
    exit_code: int
    restarts: int
    holds: list[HoldFacts]
    nameless: dict[str, str]
    # What an overview adds: how it is now (`host.drift.facts`), and at run time (`host.runtime`).
    facts: NotRequired[DriftFacts]
    runtime: NotRequired[Runtime]
    watchdog: NotRequired[WatchdogState]


class Writer(TypedDict):
    """A container of another stack, and the data it writes."""

    container: str
    project: str
    service: str
    holds: list[HoldFacts]


class Account(TypedDict):
    """An account of a host; ``login``: somebody may log in to it."""

    name: str
    login: bool


class NetworkFacts(TypedDict, total=False):
    """A network of a host's Engine, see `host.resources.Network`."""

    name: str
    id: str
    driver: str
    scope: str
    internal: bool
    attachable: bool
    enable_ipv6: bool
    ipam_driver: str
    ipam_options: dict[str, str]
    subnets: list[Subnet]
    options: dict[str, str]
    labels: dict[str, str]


class VolumeFacts(TypedDict, total=False):
    """A volume, see `host.resources.Volume`."""

    name: str
    driver: str
    options: dict[str, str]
    labels: dict[str, str]


class UseFacts(TypedDict):
    """A container on networks, see `host.resources.Use`."""

    container: str
    project: str
    service: str
    networks: list[str]
    one_off: NotRequired[bool]


class ResourceFacts(TypedDict, total=False):
    """What a host's Engine has, by name; empty where a host says nothing of it."""

    networks: dict[str, NetworkFacts]
    volumes: dict[str, VolumeFacts]
    uses: list[UseFacts]


class NeighbourFacts(TypedDict):
    """Another stack of the host, see `host.neighbours.Neighbour`."""

    containers: dict[str, str]
    volumes: list[str]
    networks: list[str]
    shared_volumes: list[str]
    shared_networks: list[str]


class TakenFacts(TypedDict):
    """A port in use, see `host.ports.Taken`."""

    address: str
    port: int
    protocol: str
    kind: str
    by: str


class LeaseFacts(TypedDict, total=False):
    """Who changes the stack, see `host.lease.describe`; empty where nobody does."""

    held: bool
    armed: bool
    by: str
    purpose: str
    age: float  # seconds
    given_up: bool  # its run is known to be dead
    owner: str


class RecoveryFacts(TypedDict, total=False):
    """What could not be restored, see `host.recovery.Recovery`; empty where all was."""

    release: str
    since: float
    attempts: int
    next: float
    timeout: float
    problems: dict[str, str]


class Edge(TypedDict):
    """What a host's edge is, see `host.edge.look`."""

    installed: bool
    maintenance: bool
    routes_of_others: dict[str, list[ClaimedRoute]]
    names: list[str]  # in its certificate
    uid: int


class Defaults(TypedDict):
    """What an Engine gives all new containers."""

    no_new_privileges: bool
    log_rotation: bool


class EngineFacts(Defaults):
    """The Engine of a host; memory and room on disks are in bytes."""

    version: str
    compose: str  # version of Compose
    memory: int
    cpus: int
    data: str  # its directory
    free: int
    root_free: int
    gpus: bool


class Standing(TypedDict):
    """What every look at a stack on a host says of it."""

    release: Manifest
    containers: list[Container]
    lease: LeaseFacts
    agent: str  # SHA-256 of the host's own program
    # Not of a host that an older version answers for.
    identity: NotRequired[dict[str, Any]]  # see `host.identity.facts`
    fingerprints: NotRequired[dict[str, str]]  # of secrets' values, by name


class Serving(Standing):
    """What serves on a host and what is there beside it: what a release is compared with."""

    compose: str  # the release's Compose file; empty without one
    file: NotRequired[Compose]  # the same as data: `release.recorded.opened` adds it
    done: dict[str, str]  # jobs that are done, with the hash of their definition
    images: list[str]
    others: list[Writer]
    resources: ResourceFacts
    edge: Edge
    neighbours: dict[str, NeighbourFacts]
    userns: dict[str, list[list[int]]]
    paths: dict[str, str]
    recovery: RecoveryFacts
    secrets: dict[str, str]  # version by name; empty for a value that is new to the host
    # Only where a deploy is decided on: what else its files need there.
    engine: NotRequired[EngineFacts]
    resolved: NotRequired[dict[str, Image]]
    missing: NotRequired[list[str]]


class Own(TypedDict):
    """What a host's own variables say of a deploy."""

    version: str
    root: str
    profiles: list[str]
    files: NotRequired[dict[str, FileFacts]]
    problems: NotRequired[list["ProblemFacts"]]  # of the files as this host's values read them


class State(Serving):
    """The answer of `host.state.read`: what a deploy is decided on."""

    version: str
    model: Compose
    model_problem: str
    reading: str
    refused: dict[str, str]
    ports: list[TakenFacts]
    absent: list[str]
    accounts: dict[str, Account]
    own: NotRequired[Own]


class History(Serving):
    """The answer of `host.history.read`: what a rollback and a rotation are decided on."""

    target: Manifest  # what to go back to; empty where it is not there
    target_compose: str
    target_file: NotRequired[Compose]  # as ``file``
    releases: dict[str, Summary]
    versions: dict[str, dict[str, list[str]]]  # of each secret, to the owners of its files


class ConfigEdits(TypedDict, total=False):
    """What a look at the files themselves adds."""

    edited_configs: list[str]
    maintenance: bool


class Overview(History, ConfigEdits):
    """The answer of `host.overview.read`: what a status is made of."""


class EdgeContainer(TypedDict):
    """The container of a host's edge, as an overview of its security has it."""

    service: str
    runtime: Runtime


class EdgeOverview(TypedDict):
    """The same of all of them."""

    containers: list[EdgeContainer]


class HostOverview(TypedDict):
    """The answer of `host.overview.everything`."""

    stacks: dict[str, Overview]
    strangers: dict[str, int]  # projects of Compose that no release made, to their containers
    silent: list[str]  # published ports that do not answer, in words
    edge: NotRequired[EdgeOverview]  # where security was asked for


class DiskFacts(TypedDict):
    """A file system of a host; ``free`` and ``size`` in bytes, ``files`` are inodes."""

    place: str
    free: int
    size: int
    files_free: int
    files: int


class EngineCheckup(TypedDict):
    """The Engine of a host, empty where it does not answer: ``problem`` says why."""

    version: str
    compose: str
    data: str
    problem: str


class CheckupRegistry(TypedDict):
    """Whether a registry answers a host; ``problem`` is empty where it does."""

    name: str
    problem: str
    fix: str


class CheckupFacts(TypedDict):
    """The answer of `host.checkup.read`; ``at`` is the host's time, in seconds since 1970."""

    root: bool
    python: str
    at: float
    synchronized: str
    disks: list[DiskFacts]
    agent: str
    units: dict[str, str]
    identity: dict[str, str]
    engine: EngineCheckup
    registry: CheckupRegistry | None
    stacks: list[str]
    silent: list[str]  # published ports that do not answer, in words


class Examined(TypedDict):
    """What a checkup of one host came to: its facts, or why there are none.

    ``agent`` is the digest that the host's program should have; it was asked between ``began`` and
    ``ended`` by the controller's clock.
    """

    environment: str
    agent: str
    began: float
    groups: list[str]
    ended: NotRequired[float]
    facts: NotRequired[CheckupFacts]
    unreached: NotRequired[str]
    problem: NotRequired[str]


class VerifiedFacts(TypedDict):
    """What a host runs of a stack and has verified, see `host.verified`."""

    release: str  # empty where nothing serves
    environment: str
    version: str
    images: dict[str, Image]  # by reference
    made_of: dict[str, Any]  # see `MadeOf`; empty for a release of an older Maestro
    at: str  # UTC, YYYY-MM-DDTHH:MM:SSZ
    problems: list[str]


class Promoted(TypedDict):
    """What another environment runs and has verified, see `plan.promotion`."""

    environment: str
    version: str
    release: str
    at: str
    images: dict[str, Image]
    made_of: dict[str, Any]
    differs: list[str]  # what may be another thing here, by the names of `made_of`


class EventFacts(TypedDict):
    """Something that happened to a stack, see `host.journal.Event`."""

    at: str
    stack: str
    what: str
    result: str
    by: str
    approved_by: str
    plan: str
    release: str
    before: str
    message: str
    seconds: str


class FoundFacts(TypedDict):
    """What a host has of a stack, by names, see `host.removal.Found`."""

    services: list[str]
    strangers: list[str]
    networks: list[str]
    volumes: list[str]
    used: dict[str, list[str]]
    images: list[str]
    releases: list[str]
    secrets: list[str]
    routes: list[str]
    known: bool


class Removal(Standing):
    """The answer of `host.removal.read`: what a removal is decided on."""

    found: FoundFacts


# Of runs.


class Settings(TypedDict):
    """What a host's own variables say of a deploy, see `play.host_variables`."""

    version: str  # empty: the one that runs
    variables: dict[str, str]
    registry: str
    registry_username: str
    profiles_said: NotRequired[list[str]]
    secrets_settings: NotRequired[dict[str, Any]]  # where values come from, and none of them


class ProblemFacts(TypedDict):
    """A `MaestroError` as JSON has it; ``lines`` are path, value and file of each `errors.Line`."""

    what: str
    where: str
    fix: str
    lines: list[list[Any]]


class FilesRead(TypedDict):
    """What a request says of the files of a stack."""

    # What is wrong with them: the plan tells it, together with all else, and nothing is changed.
    problems: NotRequired[list[ProblemFacts]]
    open_variables: NotRequired[list[str]]  # that have no value
    env_files: NotRequired[list[str]]  # where it is not `.env` alone
    secret_variables: NotRequired[dict[str, str]]  # by the name of the variable
    there: NotRequired[dict[str, str]]  # what is at paths that are mounted, see `mounts.kinds`
    code: NotRequired[dict[str, str]]  # those of them with source code, see `program_text.kind`
    files: dict[str, FileFacts]
    compose_files: list[str]
    secret_names: list[str]
    profiles: list[str]


# Exceptions that an environment makes, see `stack.exceptions`.
Exceptions = list[dict[str, str]]


class DeployRequest(Settings, FilesRead):
    """What a deploy is asked to do: the answer of the request step, with no secret's value."""

    stack: str
    environment: str
    directory: NotRequired[str]
    images: NotRequired[str]  # how they reach a host: `registry` or `ssh`
    approved_by: str
    git_commit: str
    allow: NotRequired[Exceptions]
    lacking: NotRequired[list[str]]  # secrets without a value, and the registry's password
    dry: NotRequired[bool]
    accept_volume_change: NotRequired[bool]
    adopt: NotRequired[bool]
    remove_unnamed: NotRequired[bool]
    allowed_accounts: NotRequired[list[str]]
    promoted: NotRequired[Promoted | None]
    signed_by: NotRequired[list[str]]  # public keys, one of which must have signed each image


class Pull(TypedDict):
    """An image that a host fetches; ``image`` is NAME@DIGEST, ``size`` in bytes."""

    reference: str
    image: str
    size: int


class Claim(TypedDict):
    """What a lease is taken for."""

    by: str
    purpose: str
    release: str  # the staged one
    serves: str  # the one that is put back
    armed: bool
    # For the record of what happened; `plan.rollout.Decision` adds them.
    approved_by: NotRequired[str]
    plan: NotRequired[str]
    approval: NotRequired[dict[str, Any]]  # see `host.approval.Claim`
    run: NotRequired[str]  # the run of the controller, see `play.runs`


class Expected(TypedDict):
    """What a host must still be as a plan saw it."""

    release: str
    containers: list[str]


# What a release is made of, by names that an operator knows: hashes, names and versions.
MadeOf = Mapping[str, str | list[str] | bool]


class PlanHead(TypedDict):
    """What the hash of a plan is the hash of, see `host.plan_hash`."""

    schema: int
    operation: str
    stack: str
    environment: str
    waves: list[list[str]]
    text: str  # the hash of what an operator reads
    hosts: dict[str, str]  # the hash of each host's part


class PlanPart(TypedDict, total=False):
    """One host's part of a plan: of a release, or of an operation without one."""

    root: str
    state: Expected
    plan: Mapping[str, object]
    facts: MadeOf
    secrets: dict[str, str]  # a fingerprint of each value
    work: dict[str, str]  # the hash of what each step gets
    needs: list[str]  # steps that must have been taken before the release is committed
    operations: int  # how many an approval was used for so far
    settings: Mapping[str, object]
    program: str


class PlanClaim(TypedDict):
    """What one host has to see of a plan."""

    head: PlanHead
    part: PlanPart


class PlanFile(TypedDict):
    """A plan as a file has it: its head, with the parts of the hosts in it."""

    schema: int
    operation: str
    stack: str
    environment: str
    waves: list[list[str]]
    text: str
    hosts: dict[str, PlanPart]
    hash: str


class ReadingFacts(TypedDict, total=False):
    """How Compose read the stack, see `host.reading.Reading`; empty where nobody read it."""

    key: str
    compose: str
    model: Compose


class Migration(TypedDict):
    """A migration that runs; ``on`` is the host it runs from."""

    service: str
    database: str
    on: str


class MigrationWork(Migration):
    """What a host has to know to run it: seconds, networks that are made anew, and what it needs.

    ``networks`` maps keys of the file to names on the host, ``needs`` are levels of services.
    """

    timeout: float
    networks: dict[str, str]
    needs: list[list[str]]


class Steps(TypedDict):
    """What the steps after a plan need on one host, whatever they do."""

    plan: Mapping[str, object]  # `plan.records.Plan` as plain data
    release: str
    staged: str
    claim: Claim
    expect: Expected
    migrations: list[MigrationWork]


class RemovalWork(Steps):
    """What they need to remove a stack."""

    volumes: list[str]


class Work(Steps):
    """What they need to bring a release in."""

    compose: str
    reading: ReadingFacts
    configs: dict[str, dict[str, FileFacts | FolderFacts]]
    secret_files: list[SecretFileFacts]
    services: dict[str, ServiceFacts]
    routes: list[Route]
    levels: list[list[str]]
    recreate: list[str]
    remove: list[str]
    networks: list[str]
    remove_first: list[str]
    smoke: list[Check]
    manifest: Manifest


class Closing(TypedDict):
    """What the last line of a run says of its plan, see `plan.closing`."""

    stack: str
    version: str
    before: str
    release: str
    purpose: str
    moved: dict[str, list[str]]  # what is done, to services
    urls: list[str]


class Decided(TypedDict):
    """The answer of every plan step: what the steps after it do on which host."""

    release: str
    kind: str
    together: bool
    waves: list[list[str]]
    plan: str  # the hash that an approval is bound to
    hosts: dict[str, Steps]
    fetches: bool
    migrates: bool
    changing: list[str]
