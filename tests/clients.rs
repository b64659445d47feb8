//! The program `servers` under real clients, which know nothing of windtunnel: Python's smtplib, curl, nc, and the signals of a shell.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The program, and what it prints.
struct Servers {
    child: Child,
    lines: Receiver<String>,
    mail: u16,
    finger: u16,
    debug: u16,
}

/// What a step may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

impl Servers {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let (said, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
        let port = |what: &str| {
            let line = lines.recv_timeout(PATIENCE).expect("it says its ports");
            line.strip_prefix(what).and_then(|port| port.trim().parse().ok()).expect("a port")
        };
        let (mail, finger, debug) = (port("mail"), port("finger"), port("debug"));
        Self { child, lines, mail, finger, debug }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("it has more to say")
    }

    fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().expect("there is a shell").success());
    }

    /// A mail session that has begun.
    fn session(&self) -> BufReader<TcpStream> {
        let mut session = BufReader::new(TcpStream::connect(("127.0.0.1", self.mail)).expect("it listens"));
        assert_eq!(code(&mut session), "220");
        session.get_mut().write_all(b"HELO me\r\n").expect("it reads");
        assert_eq!(code(&mut session), "250");
        session
    }

    /// The rest of what it prints, and how it ends.
    fn end(mut self) -> (Vec<String>, ExitStatus) {
        let status = self.child.wait().expect("it ends");
        (self.lines.iter().collect(), status)
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_servers");

fn code(session: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    session.read_line(&mut line).expect("the server is there");
    line.chars().take(3).collect()
}

/// Whether `program` can be run here; says so if not.
fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        println!("skipped: there is no {program} here");
    }
    found
}

const SMTPLIB: &str = r#"
import smtplib, sys
for number in range(100):
    try:
        with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as server:
            server.sendmail("a@here", ["b@there"], "Subject: %d\r\n\r\n.dot\r\nmail %d\r\n" % (number, number))
        print("sent", number, flush=True)
    except smtplib.SMTPResponseException as error:
        print(error.smtp_code, flush=True)
    except (ConnectionError, smtplib.SMTPServerDisconnected):
        print("broken", flush=True)
"#;

#[test]
fn smtplib_delivers_whole_mails_until_sigterm_and_is_told_421_after_it() {
    if !has("python3") {
        return;
    }
    let servers = Servers::start(&[]);
    // It keeps the server from its end: who comes meanwhile is told 421.
    let mut held = servers.session();
    held.get_mut().write_all(b"MAIL FROM:<a>\r\n").expect("it reads");
    assert_eq!(code(&mut held), "250");
    let mut python = Command::new("python3")
        .args(["-c", SMTPLIB, &servers.mail.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 starts");
    let mut delivered: Vec<String> = (0..50).map(|_| servers.line()).collect();
    servers.signal("TERM");
    let mut said = String::new();
    python.stdout.take().expect("piped").read_to_string(&mut said).expect("it prints text");
    assert!(python.wait().expect("it ends").success(), "{said}");
    held.get_mut().write_all(b"QUIT\r\n").expect("it reads");
    let (rest, status) = servers.end();
    assert!(status.success());
    let (last, rest) = rest.split_last().expect("it says how it ended");
    assert_eq!(last, "ended: 0 connections were cut off");
    delivered.extend_from_slice(rest);

    let count = |what: &str| said.lines().filter(|line| line.starts_with(what)).count();
    let sent = count("sent");
    assert!((49..100).contains(&sent), "{said}");
    assert!(count("421") > 0 && sent + count("421") + count("broken") == 100, "{said}");
    // One that was accepted and whose answer did not come is delivered as well.
    assert!(delivered.len() == sent || delivered.len() == sent + 1, "{said}\n{delivered:?}");
    for (number, mail) in delivered.iter().enumerate() {
        assert_eq!(*mail, format!("delivered {:?}", format!("Subject: {number}\r\n\r\n.dot\r\nmail {number}\r\n")));
    }
}

#[test]
fn a_session_that_does_not_end_is_cut_off_at_the_deadline() {
    let servers = Servers::start(&[]);
    let mut held = servers.session();
    held.get_mut().write_all(b"MAIL FROM:<a>\r\n").expect("it reads");
    assert_eq!(code(&mut held), "250");
    let start = Instant::now();
    servers.signal("INT");
    let (rest, status) = servers.end();
    assert!(status.success());
    assert_eq!(rest, ["ended: 1 connections were cut off"]);
    let took = start.elapsed();
    assert!((Duration::from_millis(1_900)..Duration::from_secs(10)).contains(&took), "{took:?}");
}

#[test]
fn nc_asks_finger() {
    if !has("nc") {
        return;
    }
    let servers = Servers::start(&[]);
    let command = format!("printf 'rsc\\r\\n' | nc 127.0.0.1 {}", servers.finger);
    let output = Command::new("sh").args(["-c", &command]).output().expect("there is a shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Login: rsc\r\nNo plan.\r\n");
    servers.signal("TERM");
    assert!(servers.end().1.success());
}

#[test]
fn curl_shows_a_hundred_leaked_tasks_at_the_top() {
    if !has("curl") {
        return;
    }
    let servers = Servers::start(&["leak", "100"]);
    let curl = |path: &str| {
        let url = format!("http://127.0.0.1:{}{path}", servers.debug);
        let output = Command::new("curl").args(["--silent", "--max-time", "10", &url]).output().expect("curl starts");
        String::from_utf8(output.stdout).expect("text")
    };
    eventually("100 × channel recv", || {
        let text = curl("/debug/tasks");
        let mut lines = text.lines();
        let total = lines.next().and_then(|line| line.strip_suffix(" tasks")).expect("the total is on top");
        assert!(total.parse::<usize>().expect("a number") > 100, "{text}");
        lines.next().expect("a group").to_owned()
    });
    let json: serde_json::Value = serde_json::from_str(&curl("/debug/tasks?format=json")).expect("an object");
    assert_eq!(json["groups"][0]["count"], 100);
    servers.signal("TERM");
    assert!(servers.end().1.success());
}

#[test]
fn sigquit_shows_the_tasks_and_stops_nothing() {
    let mut servers = Servers::start(&["leak", "7"]);
    let stderr = BufReader::new(servers.child.stderr.take().expect("piped"));
    let mut lines = stderr.lines().map_while(Result::ok);
    let mut first_group = || {
        servers.signal("QUIT");
        lines.find(|line| line.ends_with(" tasks")).expect("the total");
        lines.next().expect("a group")
    };
    first_group();
    eventually("7 × channel recv", first_group);
    drop(servers.session());
    servers.signal("TERM");
    assert!(servers.end().1.success());
}

/// The tasks that wait for nothing have begun to, some time after the ports were printed.
fn eventually(group: &str, mut first_group: impl FnMut() -> String) {
    let started = Instant::now();
    loop {
        let first = first_group();
        if first.trim_start().starts_with(group) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{first}");
    }
}

#[test]
fn other_arguments_are_one_line_and_exit_status_2() {
    for arguments in [&["leak"][..], &["leak", "-1"], &["more"]] {
        let output = Command::new(PROGRAM).args(arguments).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.lines().count() == 1, "{said}");
    }
}
