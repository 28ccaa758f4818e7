//! Configuration from the environment. A secret comes as `NAME` or as a file
//! named by `NAME_FILE`; no message ever holds a value.

use std::{collections::HashMap, env, fmt, fs, net::SocketAddr, path::PathBuf, time::Duration};

/// Shorter secrets are refused: they protect nothing, and masking them in
/// logs would mask ordinary words.
const SECRET_MIN_LENGTH: usize = 8;

/// A secret value. It shows itself nowhere; `expose` is the only way to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[cfg(test)]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// What is wrong with one key.
#[derive(Debug, PartialEq, Eq)]
pub enum Problem {
    Missing(&'static str),
    GivenTwice(&'static str),
    Unreadable { key: &'static str, path: String, reason: String },
    TooShort(&'static str),
    Invalid { key: &'static str, expected: &'static str },
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(key) => write!(
                out,
                "{key} is missing: set {key}_FILE to the path of a file that holds it, or {key}"
            ),
            Self::GivenTwice(key) => {
                write!(out, "{key} and {key}_FILE are both set: set only one of them")
            }
            Self::Unreadable { key, path, reason } => {
                write!(out, "{key}_FILE names {path}, which cannot be read: {reason}")
            }
            Self::TooShort(key) => {
                write!(
                    out,
                    "{key} is too short: at least {SECRET_MIN_LENGTH} characters are needed"
                )
            }
            Self::Invalid { key, expected } => {
                write!(out, "{key} is not valid: expected {expected}")
            }
        }
    }
}

/// The variables of the process, or those a test gives.
pub struct Environment(HashMap<String, String>);

impl Environment {
    pub fn of_process() -> Self {
        Self(env::vars().collect())
    }

    /// An empty variable counts as not set: Compose passes `${NAME:-}` as one.
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn text(&self, key: &str, default: &str) -> String {
        self.get(key).unwrap_or(default).to_owned()
    }

    fn parse<T: std::str::FromStr>(
        &self,
        key: &'static str,
        default: T,
        expected: &'static str,
        problems: &mut Vec<Problem>,
    ) -> T {
        let Some(value) = self.get(key) else { return default };
        value.parse().unwrap_or_else(|_| {
            problems.push(Problem::Invalid { key, expected });
            default
        })
    }

    /// What only `true` and `false` are said of.
    fn switch(&self, key: &'static str, default: bool, problems: &mut Vec<Problem>) -> bool {
        self.parse(key, default, "true or false", problems)
    }

    /// Where the database is. A password in it would be shown by everything that shows variables.
    fn database_url(&self, problems: &mut Vec<Problem>) -> tokio_postgres::Config {
        let mut refuse = |expected| {
            problems.push(Problem::Invalid { key: "DATABASE_URL", expected });
            tokio_postgres::Config::new()
        };
        let Some(url) = self.get("DATABASE_URL") else { return tokio_postgres::Config::new() };
        match url.parse::<tokio_postgres::Config>() {
            Ok(found) if found.get_password().is_some() => {
                refuse("a URL without a password, which is in DB_PASSWORD_FILE")
            }
            Ok(found) if found.get_hosts().len() == 1 => found,
            _ => refuse("a URL like postgres://jessy@db:5432/jessy"),
        }
    }

    /// Where spans are sent to; nothing where they are not.
    fn traces(&self, problems: &mut Vec<Problem>) -> Option<String> {
        const KEY: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        let url = self.text(KEY, "http://jaeger:4318");
        // On the network of the stack: without TLS.
        if url.strip_prefix("http://").is_none_or(|host| host.is_empty() || host.starts_with('/')) {
            problems.push(Problem::Invalid { key: KEY, expected: "a URL like http://jaeger:4318" });
        }
        self.switch("JAEGER_ENABLED", false, problems).then_some(url)
    }

    fn secret(&self, key: &'static str) -> Result<Secret, Problem> {
        let value = match (self.get(key), self.get(&format!("{key}_FILE"))) {
            (Some(_), Some(_)) => return Err(Problem::GivenTwice(key)),
            (Some(value), None) => value.to_owned(),
            (None, Some(path)) => {
                let text = fs::read_to_string(path).map_err(|error| Problem::Unreadable {
                    key,
                    path: path.to_owned(),
                    reason: error.to_string(),
                })?;
                // An editor ends a file with a line break that is no part of the secret.
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
            (None, None) => return Err(Problem::Missing(key)),
        };
        if value.is_empty() {
            return Err(Problem::Missing(key));
        }
        if value.chars().count() < SECRET_MIN_LENGTH {
            return Err(Problem::TooShort(key));
        }
        Ok(Secret(value))
    }
}

#[derive(Clone, Debug)]
pub struct Database {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub name: String,
    pub password: Secret,
    /// How long `migrate` waits for the database to answer.
    pub wait: Duration,
}

#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub log: String,
    pub mmap_dir: PathBuf,
    /// How long requests in flight may take after a signal to stop.
    pub drain: Duration,
    pub database: Database,
    /// Asked for where notes are written; `migrate` needs none.
    pub api_token: Option<Secret>,
    /// Whether /metrics answers.
    pub metrics: bool,
    /// Where spans are sent to, if they are.
    pub traces: Option<String>,
}

impl Config {
    pub fn for_serve(environment: &Environment) -> Result<Self, Vec<Problem>> {
        Self::read(environment, true)
    }

    pub fn for_migrate(environment: &Environment) -> Result<Self, Vec<Problem>> {
        Self::read(environment, false)
    }

    fn read(environment: &Environment, with_token: bool) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut secret = |key| match environment.secret(key) {
            Ok(secret) => Some(secret),
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        let password = secret("DB_PASSWORD");
        let api_token = if with_token { secret("API_TOKEN") } else { None };

        let mut seconds = |key, default| {
            let expected = "a whole number of seconds";
            Duration::from_secs(environment.parse(key, default, expected, &mut problems))
        };
        let wait = seconds("DB_WAIT_SECONDS", 60);
        let drain = seconds("DRAIN_SECONDS", 15);
        let metrics = environment.switch("PROMETHEUS_ENABLED", true, &mut problems);
        let traces = environment.traces(&mut problems);
        let url = environment.database_url(&mut problems);
        let url_port = url.get_ports().first().copied().unwrap_or(5432);
        let url_host = match url.get_hosts().first() {
            Some(tokio_postgres::config::Host::Tcp(host)) => host,
            _ => "db",
        };
        let port = environment.parse("DB_PORT", url_port, "a port, 1 to 65535", &mut problems);
        let listen = environment.parse(
            "LISTEN_ADDR",
            SocketAddr::from(([0, 0, 0, 0], 8080)),
            "an address and a port like 0.0.0.0:8080",
            &mut problems,
        );
        match password {
            Some(password) if problems.is_empty() => Ok(Self {
                listen,
                log: environment.text("RUST_LOG", "info"),
                mmap_dir: environment.text("MMAP_DIR", "/data/mmap").into(),
                drain,
                database: Database {
                    // A part that is set of its own wins over the URL's.
                    host: environment.text("DB_HOST", url_host),
                    port,
                    user: environment.text("DB_USER", url.get_user().unwrap_or("jessy")),
                    name: environment.text("DB_NAME", url.get_dbname().unwrap_or("jessy")),
                    password,
                    wait,
                },
                api_token,
                metrics,
                traces,
            }),
            _ => Err(problems),
        }
    }

    pub fn secrets(&self) -> Vec<&Secret> {
        std::iter::once(&self.database.password).chain(&self.api_token).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    const PASSWORD: &str = "sentinel-of-the-database";
    const TOKEN: &str = "sentinel-of-the-interface";

    #[test]
    fn values_are_read_and_the_rest_has_defaults() {
        let config = Config::for_serve(&environment(&[
            ("DB_PASSWORD", PASSWORD),
            ("API_TOKEN", TOKEN),
            ("DB_PORT", "6000"),
            ("DB_HOST", ""),
        ]))
        .unwrap();
        assert_eq!(config.database.password.expose(), PASSWORD);
        assert_eq!(config.database.port, 6000);
        assert_eq!(config.database.host, "db");
        assert_eq!(config.listen.port(), 8080);
    }

    #[test]
    fn a_url_names_the_database_and_a_part_of_its_own_wins() {
        let pairs = [
            ("DB_PASSWORD", PASSWORD),
            ("DATABASE_URL", "postgres://reader@elsewhere:6000/other"),
            ("DB_NAME", "mine"),
            ("PROMETHEUS_ENABLED", "false"),
        ];
        let config = Config::for_migrate(&environment(&pairs)).unwrap();
        let Database { host, port, user, name, .. } = config.database;
        assert_eq!(
            (host.as_str(), port, user.as_str(), name.as_str()),
            ("elsewhere", 6000, "reader", "mine")
        );
        assert!(!config.metrics);
        assert!(Config::for_migrate(&environment(&pairs[..1])).unwrap().metrics);
    }

    #[test]
    fn spans_are_sent_where_it_is_asked_for() {
        let mut pairs = vec![("DB_PASSWORD", PASSWORD)];
        let traces = |pairs: &[(&str, &str)]| Config::for_migrate(&environment(pairs));
        assert_eq!(traces(&pairs).unwrap().traces, None);
        pairs.push(("JAEGER_ENABLED", "true"));
        assert_eq!(traces(&pairs).unwrap().traces.as_deref(), Some("http://jaeger:4318"));
        pairs.push(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://elsewhere:14318"));
        assert_eq!(traces(&pairs).unwrap().traces.as_deref(), Some("http://elsewhere:14318"));
        for wrong in ["elsewhere:4318", "http://", "https://elsewhere"] {
            pairs.push(("OTEL_EXPORTER_OTLP_ENDPOINT", wrong));
            assert!(traces(&pairs).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_url_with_a_password_or_that_is_none_is_refused_without_being_shown() {
        for url in ["postgres://jessy:hidden-words@db/jessy", "hidden-words", "postgres:///jessy"] {
            let pairs = [
                ("DB_PASSWORD", PASSWORD),
                ("DATABASE_URL", url),
                ("PROMETHEUS_ENABLED", "perhaps"),
            ];
            let problems = Config::for_migrate(&environment(&pairs)).unwrap_err();
            let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let text = text.join("\n");
            assert!(text.contains("DATABASE_URL is not valid"), "{url}: {text}");
            assert!(text.contains("PROMETHEUS_ENABLED is not valid: expected true or false"));
            assert!(!text.contains("hidden-words"), "{text}");
        }
    }

    #[test]
    fn a_secret_file_is_read_without_its_line_break() {
        let path = env::temp_dir().join(format!("jessy-config-{}", std::process::id()));
        fs::write(&path, format!("{PASSWORD}\n")).unwrap();
        let config =
            Config::for_migrate(&environment(&[("DB_PASSWORD_FILE", path.to_str().unwrap())]))
                .unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(config.database.password.expose(), PASSWORD);
    }

    #[test]
    fn all_problems_are_named_at_once_and_no_value_is() {
        let problems = Config::for_serve(&environment(&[
            ("DB_PASSWORD", PASSWORD),
            ("DB_PASSWORD_FILE", "/run/secrets/db_password"),
            ("DB_PORT", "70000"),
            ("DRAIN_SECONDS", "soon"),
        ]))
        .unwrap_err();
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let text = text.join("\n");
        for key in
            ["DB_PASSWORD_FILE are both set", "API_TOKEN is missing", "DB_PORT", "DRAIN_SECONDS"]
        {
            assert!(text.contains(key), "{key} not in: {text}");
        }
        for value in [PASSWORD, "70000", "soon"] {
            assert!(!text.contains(value), "{value} in: {text}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named_with_its_key() {
        let problems =
            Config::for_migrate(&environment(&[("DB_PASSWORD_FILE", "/nowhere/at/all")]))
                .unwrap_err();
        assert!(problems[0].to_string().contains("DB_PASSWORD_FILE names /nowhere/at/all"));
    }

    #[test]
    fn a_short_secret_is_refused_without_being_shown() {
        let problems = Config::for_migrate(&environment(&[("DB_PASSWORD", "abc123")])).unwrap_err();
        assert_eq!(problems, [Problem::TooShort("DB_PASSWORD")]);
        assert!(!problems[0].to_string().contains("abc123"));
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let config =
            Config::for_serve(&environment(&[("DB_PASSWORD", PASSWORD), ("API_TOKEN", TOKEN)]))
                .unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains("sentinel"), "{shown}");
    }
}
