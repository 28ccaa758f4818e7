"""The settings: environment variables, checked when the program starts.

A secret is set as ``NAME``, or as a file that ``NAME_FILE`` names. Both at once are refused. An
error names the variable and the reason, never a value.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.llm.chain_text import Chains, parse_chains

DEFAULT_CHAINS = "chat=groq:llama-3.3-70b-versatile,gemini:gemini-2.5-flash,ollama:llama3.2"
MORE_KEYS = ("", "_BACKUP", "_2", "_3", "_4", "_5")
PLACEHOLDERS = ("none", "changeme", "change-me", "your-key-here")
DEVELOPER = "http://localhost:5173"
LOCAL = ("localhost", "127.0.0.1", "[::1]")
NEO4J = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")


def _is_address(text: str, *schemes: str) -> bool:
    # Reading the port raises ValueError where it is none.
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _origins(environment: str) -> str:
    # Set to nothing is none; not set at all is the page of a developer, and elsewhere none.
    if "CORS_ORIGINS" in os.environ or environment != "development":
        return ""
    return DEVELOPER


class SecretFiles(PydanticBaseSettingsSource):
    """Values of ``NAME`` from the file that the variable ``NAME_FILE`` names."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The text of the file without its last line end; None where no file is named."""
        path = os.environ.get(f"{field_name}_FILE", "")
        if not path:
            return None, field_name, False
        if os.environ.get(field_name):
            raise SystemExit(f"{field_name} and {field_name}_FILE are both set: keep one of them")
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "is not UTF-8 text"
            raise SystemExit(f"{field_name}_FILE: cannot read {path}: {why}") from None
        return text.removesuffix("\n"), field_name, False

    def __call__(self) -> dict[str, Any]:
        """All values that files give."""
        found = {
            name: self.get_field_value(f, name)[0]
            for name, f in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """Every variable that Mami reads, with its default."""

    model_config = SettingsConfigDict(
        case_sensitive=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
        extra="ignore",
        frozen=True,
    )

    NODE_MODE: Literal["CORE", "WORKER"] = "CORE"
    ENVIRONMENT: Literal["development", "staging", "production"] = "development"
    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    HOST: str = "0.0.0.0"  # noqa: S104 - a container's only way in
    PORT: int = Field(8000, ge=1, le=65535)
    DRAIN_SECONDS: int = Field(15, ge=0, le=600)
    DATA_DIR: Path = Path("data")
    LOG_DIR: Path | None = None

    DATABASE_URL: str = "sqlite:///data/app.db"
    REDIS_URL: SecretStr = SecretStr("")
    REDIS_DSN: SecretStr = SecretStr("")
    REDIS_HOST: str = "localhost"
    REDIS_PORT: int = Field(6379, ge=1, le=65535)
    REDIS_PASSWORD: SecretStr = SecretStr("")
    MEMORY_SECONDS: int = Field(86400, ge=60)

    CORS_ORIGINS: str = Field(default_factory=lambda data: _origins(data.get("ENVIRONMENT", "")))

    GROQ_API_KEY: SecretStr = SecretStr("")
    GROQ_API_KEY_BACKUP: SecretStr = SecretStr("")
    GROQ_API_KEY_2: SecretStr = SecretStr("")
    GROQ_API_KEY_3: SecretStr = SecretStr("")
    GROQ_API_KEY_4: SecretStr = SecretStr("")
    GROQ_API_KEY_5: SecretStr = SecretStr("")
    GEMINI_API_KEY: SecretStr = SecretStr("")
    GEMINI_API_KEY_BACKUP: SecretStr = SecretStr("")
    GEMINI_API_KEY_2: SecretStr = SecretStr("")
    GEMINI_API_KEY_3: SecretStr = SecretStr("")
    GEMINI_API_KEY_4: SecretStr = SecretStr("")
    GEMINI_API_KEY_5: SecretStr = SecretStr("")
    GROQ_BASE_URL: str = "https://api.groq.com"
    GEMINI_BASE_URL: str = "https://generativelanguage.googleapis.com"
    OLLAMA_URL: str = ""
    FALLBACK_CHAINS: str = DEFAULT_CHAINS
    LLM_TIMEOUT: float = Field(20, gt=0, le=300)

    API_URL: str = "http://mami-ai:8000"
    INTERNAL_UPLOAD_TOKEN: SecretStr = SecretStr("")
    UPLOAD_MAX_BYTES: int = Field(10 * 1024 * 1024, ge=1024)
    WORKER_CONCURRENCY: int = Field(1, ge=1, le=64)
    HEARTBEAT_FILE: Path = Path("/tmp/worker-heartbeat")  # noqa: S108 - in the worker's own /tmp

    ELASTICSEARCH_URL: str = ""
    ELASTICSEARCH_USERNAME: str = "elastic"
    ELASTICSEARCH_PASSWORD: SecretStr = SecretStr("")
    LOG_QUEUE: int = Field(10_000, ge=1)
    LOG_RETENTION_DAYS: int = Field(14, ge=1)
    NEO4J_URL: str = ""
    NEO4J_USERNAME: str = "neo4j"
    NEO4J_PASSWORD: SecretStr = SecretStr("")
    QDRANT_URL: str = ""
    QDRANT_API_KEY: SecretStr = SecretStr("")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, files: in this order."""
        return init_settings, env_settings, SecretFiles(settings_cls)

    @field_validator("REDIS_URL", "REDIS_DSN")
    @classmethod
    def redis_address(cls, value: SecretStr) -> SecretStr:
        """Refuse what is not the address of a Redis."""
        text = value.get_secret_value()
        if text and not _is_address(text, "redis", "rediss"):
            raise ValueError("must look like redis://HOST:PORT or rediss://USER:PASSWORD@HOST:PORT")
        return value

    @field_validator(
        "GROQ_BASE_URL",
        "GEMINI_BASE_URL",
        "OLLAMA_URL",
        "API_URL",
        "ELASTICSEARCH_URL",
        "QDRANT_URL",
    )
    @classmethod
    def http_address(cls, value: str) -> str:
        """Refuse what is not an HTTP address; a slash at the end makes no difference."""
        if value and not _is_address(value, "http", "https"):
            raise ValueError("must look like http://HOST:PORT")
        return value.rstrip("/")

    @field_validator("NEO4J_URL")
    @classmethod
    def neo4j_address(cls, value: str) -> str:
        """Refuse what Neo4j's driver does not take."""
        if value and not _is_address(value, *NEO4J):
            raise ValueError("must look like bolt://HOST:PORT or neo4j://HOST:PORT")
        return value

    @field_validator("CORS_ORIGINS")
    @classmethod
    def origins(cls, value: str) -> str:
        """Refuse what no browser sends as its origin: it would let nobody in."""
        for origin in value.replace(" ", "").split(","):
            if origin in ("", "*"):
                continue
            if not _is_address(origin, "http", "https") or urlsplit(origin).path.strip("/"):
                raise ValueError("each must look like https://HOST or http://HOST:PORT")
        return value

    @field_validator("FALLBACK_CHAINS")
    @classmethod
    def chains(cls, value: str) -> str:
        """Refuse chains that cannot be read."""
        parse_chains(value)
        return value

    @model_validator(mode="after")
    def closed_in_production(self) -> Settings:
        """No origin in production that would open the interface to everybody's pages."""
        if self.ENVIRONMENT == "production":
            for origin in self.get_cors_origins_list():
                if origin == "*" or urlsplit(origin).hostname in LOCAL:
                    raise ValueError(
                        f"CORS_ORIGINS: {origin} is refused in production: name the site's own address"
                    )
        return self

    def get_redis_url(self, db: int = 0) -> str:
        """The address of a Redis database: 0 is the task queue, 1 the working memory.

        REDIS_URL comes before REDIS_DSN, and that before REDIS_HOST, REDIS_PORT and REDIS_PASSWORD.
        """
        given = self.REDIS_URL.get_secret_value() or self.REDIS_DSN.get_secret_value()
        if given:
            return urlsplit(given)._replace(path=f"/{db}", fragment="").geturl()
        password = self.REDIS_PASSWORD.get_secret_value()
        login = f":{quote(password, safe='')}@" if password else ""
        host = f"[{self.REDIS_HOST}]" if ":" in self.REDIS_HOST else self.REDIS_HOST
        return f"redis://{login}{host}:{self.REDIS_PORT}/{db}"

    def get_groq_api_keys(self) -> list[str]:
        """Groq's keys, in the order in which they are tried."""
        return self._keys("GROQ_API_KEY")

    def get_gemini_api_keys(self) -> list[str]:
        """Gemini's keys, in the order in which they are tried."""
        return self._keys("GEMINI_API_KEY")

    def get_cors_origins_list(self) -> list[str]:
        """The origins of CORS_ORIGINS, which commas separate."""
        return [
            origin.strip().rstrip("/") for origin in self.CORS_ORIGINS.split(",") if origin.strip()
        ]

    def get_fallback_chains(self) -> Chains:
        """Name of a chain -> its models, in the order in which they are tried."""
        return parse_chains(self.FALLBACK_CHAINS)

    def secret_values(self) -> list[str]:
        """Every secret that is set, for whoever has to hide them."""
        values = [getattr(self, name) for name in type(self).model_fields]
        secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        passwords = [urlsplit(text).password or "" for text in secrets if "://" in text]
        keys = [*self.get_groq_api_keys(), *self.get_gemini_api_keys()]
        database = urlsplit(self.DATABASE_URL).password or ""
        return sorted(
            {text for text in (*secrets, *passwords, *keys, database) if text},
            key=len,
            reverse=True,
        )

    def _keys(self, name: str) -> list[str]:
        # One variable may hold several keys: commas, blanks or line ends separate them.
        values = (getattr(self, name + suffix).get_secret_value() for suffix in MORE_KEYS)
        keys = [key for value in values for key in value.replace(",", " ").split()]
        return list(dict.fromkeys(key for key in keys if key.lower() not in PLACEHOLDERS))


def load() -> Settings:
    """The settings of this process; ends it with one line for each variable that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        lines = []
        for item in error.errors(include_input=False, include_url=False):
            if item["type"] == "default_factory_not_called":
                continue  # it follows from another one
            name = ".".join(str(part) for part in item["loc"])
            lines.append(
                f"{name}: {item['msg']}" if name else item["msg"].removeprefix("Value error, ")
            )
        raise SystemExit(
            "Mami cannot start, these variables are wrong:\n  " + "\n  ".join(lines)
        ) from None


settings = load()
