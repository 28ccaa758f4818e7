//! `jessy healthcheck`: asks the service on this host and says so by the exit
//! code. It needs no secret and no tool of the image.

use std::{
    env,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

/// Below the health check's own timeout, so that its log gets a reason.
const TIMEOUT: Duration = Duration::from_secs(2);

pub fn run() -> ExitCode {
    match status_line() {
        Ok(line) if line.split(' ').nth(1) == Some("200") => {
            println!("healthy");
            ExitCode::SUCCESS
        }
        Ok(line) => {
            println!("unhealthy: the service answered {line}");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("unhealthy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn status_line() -> std::io::Result<String> {
    let listen = env::var("LISTEN_ADDR").ok().and_then(|value| value.parse::<SocketAddr>().ok());
    let port = listen.map_or(8080, |address| address.port());
    let mut stream =
        TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or("nothing").to_owned())
}
