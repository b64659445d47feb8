//! The picture of a run: what is in it, and that it is harmless.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use windtunnel::net::{TcpListener, TcpStream, UdpSocket};
use windtunnel::time;
use windtunnel_sim::faults::{Fault, FaultKind, FaultPlan};
use windtunnel_sim::timeline::{Packet, Spell, SpellKind};
use windtunnel_sim::{Failure, Scenario, Sim, Timeline};

/// A name that would end the script and begin an element, if the page let it.
const HOSTILE: &str = "</script><b>";

/// A little of everything: a cut and a slow link, packets that arrive and that do not, a restart, a death, a failed check.
static SMALL: Scenario = Scenario {
    module: "timeline",
    function: "small",
    package: "",
    summary: "",
    seeds: 1,
    body: |sim| Box::pin(small(sim)),
};

async fn small(sim: Sim) {
    let answers = |node: windtunnel_sim::Node| async move {
        let listener = TcpListener::bind(node.addr(80)).await.unwrap();
        loop {
            drop(listener.accept().await);
        }
    };
    let (server, hostile) = (sim.node("server", answers), sim.node(HOSTILE, answers));
    time::sleep(time::millis(10)).await;
    drop(TcpStream::connect(server.addr(80)).await.unwrap());
    sim.partition(&[sim.main()], &[&server]);
    sim.slow_link(sim.main(), &hostile, time::millis(30));
    time::timeout(time::millis(100), TcpStream::connect(server.addr(80))).await.expect_err("it is cut off");
    sim.heal();
    sim.restart(&server).await;
    drop(TcpStream::connect(hostile.addr(80)).await.unwrap());
    sim.kill(&hostile);
    time::sleep(time::millis(20)).await;
    let answer = time::timeout(time::millis(50), TcpStream::connect(hostile.addr(80))).await;
    assert!(answer.is_ok(), "{HOSTILE} does not answer");
}

/// What ails nodes that are alive, with a pulse of datagrams for each.
static AILING: Scenario = Scenario { function: "ailing", body: |sim| Box::pin(ailing(sim)), ..SMALL };

async fn ailing(sim: Sim) {
    let nodes = sim.nodes("n", 4, |node| async move {
        let socket = UdpSocket::bind(node.addr(7)).await.unwrap();
        while let Ok((_, from)) = socket.recv_from(&mut [0]).await {
            socket.send_to(&[0], from).await.unwrap();
        }
    });
    let node = |number: usize| nodes[number - 1].name().to_owned();
    let spell = |at, until, kind| Fault::new(time::millis(at), time::millis(until), kind);
    let instant = |at, kind| Fault::new(time::millis(at), None, kind);
    sim.faults(FaultPlan::from(vec![
        spell(300, 700, FaultKind::Pause { node: node(1) }),
        spell(200, 600, FaultKind::Slowness { node: node(2), factor: 2_000 }),
        spell(100, 900, FaultKind::ClockSkew { node: node(3), ppm: -100_000 }),
        instant(500, FaultKind::ClockJump { node: node(4), by: time::secs(60), back: false }),
        spell(200, 800, FaultKind::Refuse { node: node(4), port: 7 }),
        spell(400, 600, FaultKind::Refuse { node: node(4), port: 8 }),
    ]));
    let socket = UdpSocket::bind(sim.main().addr(7)).await.unwrap();
    for _ in 0..10 {
        for node in &nodes {
            socket.send_to(&[0], node.addr(7)).await.unwrap();
        }
        time::sleep(time::millis(100)).await;
    }
    panic!("ten beats of a pulse");
}

/// Ten thousand datagrams there and as many back.
static LARGE: Scenario = Scenario { function: "large", body: |sim| Box::pin(large(sim)), ..SMALL };

async fn large(sim: Sim) {
    let echoes = sim.nodes("echo", 5, |node| async move {
        let socket = UdpSocket::bind(node.addr(7)).await.unwrap();
        let mut bytes = [0; 64];
        while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
            socket.send_to(&bytes[..length], from).await.unwrap();
        }
    });
    let socket = UdpSocket::bind(sim.main().addr(7)).await.unwrap();
    for number in 0..10_000 {
        socket.send_to(&[0; 64], echoes[number % echoes.len()].addr(7)).await.unwrap();
        socket.recv_from(&mut [0; 64]).await.unwrap();
    }
    panic!("ten thousand answers");
}

/// The page that a failure of `scenario` leaves behind, and the line of the report that names it.
fn page_of_failure(scenario: &Scenario) -> (PathBuf, String) {
    let failure = Failure::examine(scenario, scenario.run(1)).expect("it fails");
    let report = failure.to_string();
    let line = report.lines().last().expect("a report has lines").trim().to_owned();
    (Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(failure.timeline.expect("it is written")), line)
}

fn timeline(scenario: &Scenario) -> Timeline {
    Timeline::new(&scenario.name(), &scenario.run_traced(1))
}

/// The data inside a page, as the browser finds it: up to the first end of a script.
fn data(page: &str) -> Value {
    let (_, rest) = page.split_once(r#"<script id="data" type="application/json">"#).expect("a page has data");
    let (json, _) = rest.split_once("</script").expect("a script ends");
    serde_json::from_str(json).expect("JSON")
}

#[test]
fn a_page_holds_the_run_and_is_the_same_each_time() {
    let page = timeline(&SMALL).to_html();
    assert_eq!(page, timeline(&SMALL).to_html());
    insta::assert_snapshot!(serde_json::to_string_pretty(&data(&page)).unwrap());
}

#[test]
fn a_failure_names_its_page_which_is_that_of_a_replay() {
    let (path, line) = page_of_failure(&SMALL);
    assert_eq!(line, "timeline  target/windtunnel/timeline.small.1.html");
    assert_eq!(fs::read_to_string(path).unwrap(), timeline(&SMALL).to_html());
}

#[test]
fn a_page_that_cannot_be_written_is_a_line_of_the_report() {
    static UNWRITABLE: Scenario = Scenario { function: "unwritable", ..SMALL };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/windtunnel/timeline.unwritable.1.html");
    fs::create_dir_all(folder).unwrap();
    let report = Failure::examine(&UNWRITABLE, UNWRITABLE.run(1)).expect("it fails").to_string();
    let last = report.lines().last().unwrap();
    assert!(last.starts_with("  timeline  target/windtunnel/timeline.unwritable.1.html cannot be written: "), "{last}");
}

#[test]
fn names_that_look_like_markup_are_harmless() {
    let timeline = Timeline::new("a</title><b>&", &SMALL.run_traced(1));
    let page = timeline.to_html();
    assert_eq!(page.matches("</script").count(), 2, "the data's and the program's");
    assert_eq!(page.matches("</title").count(), 1);
    assert!(!page.contains(HOSTILE));
    assert!(page.contains("<title>a&lt;/title&gt;&lt;b&gt;&amp; · seed 1</title>"));
    assert_eq!(data(&page), serde_json::to_value(&timeline).unwrap());
    assert_eq!(data(&page)["nodes"][2], HOSTILE);
}

#[test]
fn a_page_refers_to_nothing_outside_itself() {
    let page = timeline(&SMALL).to_html();
    for reference in ["http:", "https:", "src=", "href=", "url(", "@import", "import("] {
        assert!(!page.contains(reference), "{reference}");
    }
    assert!(page.contains("default-src 'none'"));
}

fn spells(timeline: &Timeline, kind: SpellKind) -> Vec<&Spell> {
    timeline.spells.iter().filter(|spell| spell.kind == kind).collect()
}

#[test]
fn cuts_slow_links_deaths_and_losses_are_where_they_were() {
    let timeline = timeline(&SMALL);
    let (main, server, hostile) = (0, 1, 2);
    let cuts = spells(&timeline, SpellKind::Cut);
    assert_eq!(cuts.iter().map(|it| (it.from, it.to)).collect::<Vec<_>>(), [(main, server), (server, main)]);
    let cut = cuts[0];
    assert_eq!((cut.end - cut.start) / 1_000_000, 100, "until it was healed");
    let slow = spells(&timeline, SpellKind::Slow);
    assert_eq!((slow.len(), slow[0].to, slow[0].end), (1, hostile, timeline.end));
    let dead = spells(&timeline, SpellKind::Dead);
    assert_eq!(dead.iter().map(|it| it.from).collect::<Vec<_>>(), [server, hostile]);
    assert!(dead[0].end < timeline.end, "restarted");
    assert_eq!(dead[1].end, timeline.end, "for good");
    let into = |packet: &&Packet| packet.to == server && (cut.start..cut.end).contains(&packet.sent);
    let lost: Vec<&Packet> = timeline.packets.iter().filter(into).collect();
    assert!(lost.iter().all(|packet| packet.lost));
    let ends: Vec<bool> = lost.iter().map(|packet| packet.end > Some(packet.sent)).collect();
    assert_eq!(ends, [true, false], "one was on its way when the link was cut, one was sent afterwards");
    let arrived = timeline.packets.iter().filter(|packet| !packet.lost && packet.end > Some(packet.sent)).count();
    assert!(arrived >= 4, "{arrived}");
}

#[test]
fn what_ails_a_node_is_a_spell_on_its_lane() {
    page_of_failure(&AILING);
    let timeline = timeline(&AILING);
    let of = |kind| {
        let told = |it: &&Spell| {
            assert_eq!(it.from, it.to, "it is on a lane");
            format!("{} {}-{} {}", timeline.nodes[it.from], it.start / 1_000_000, it.end / 1_000_000, it.text)
        };
        spells(&timeline, kind).iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(of(SpellKind::Paused), ["n1 300-700 paused"]);
    assert_eq!(of(SpellKind::Sluggish), ["n2 200-600 slow by 2000"]);
    let wrong = ["n3 100-900 wall clock losing 100000 ppm", "n3 900-1000 wall clock 80ms behind"];
    assert_eq!(of(SpellKind::Clock), [wrong[0], "n4 500-1000 wall clock 60s ahead", wrong[1]]);
    let ports = ["7", "7, 8", "7"].map(|ports| format!("refuses connections to {ports}"));
    let expected = ["200-400", "400-600", "600-800"].iter().zip(ports).map(|(when, what)| format!("n4 {when} {what}"));
    assert_eq!(of(SpellKind::Refusing), expected.collect::<Vec<_>>());
    assert_eq!(timeline.faults.len(), 6, "their ends are no marks");
}

#[test]
fn a_kill_ends_a_pause_and_what_the_scenario_refuses_it_may_admit() {
    fn body(sim: Sim) -> windtunnel_sim::Body {
        Box::pin(async move {
            let node = sim.node("n", |_| std::future::pending());
            let pause = FaultKind::Pause { node: "n".into() };
            sim.faults(FaultPlan::from(vec![Fault::new(time::millis(10), time::millis(90), pause)]));
            sim.refuse(&node, 7);
            time::sleep(time::millis(50)).await;
            sim.kill(&node);
            sim.admit(&node, 7);
            time::sleep(time::millis(100)).await;
        })
    }
    let timeline = timeline(&Scenario { function: "kill", body, ..SMALL });
    for (kind, end) in [(SpellKind::Paused, 50), (SpellKind::Refusing, 50), (SpellKind::Dead, 150)] {
        let spells = spells(&timeline, kind);
        assert_eq!(spells.iter().map(|it| it.end / 1_000_000).collect::<Vec<_>>(), [end], "{kind:?}");
    }
}

#[test]
fn a_failure_is_on_its_node_and_a_line_leads_to_its_packet() {
    let timeline = timeline(&SMALL);
    let failed = timeline.failure.as_ref().expect("it fails");
    assert_eq!((failed.node, failed.task.as_deref()), (Some(0), Some("main")));
    assert!(failed.place.as_ref().unwrap().starts_with("tests/it/timeline.rs:"));
    assert!(timeline.blocked.iter().any(|task| task.node == Some(1) && task.wait == "tcp accept"));
    let mut leading = 0;
    for line in &timeline.lines {
        let Some(id) = line.packet else { continue };
        let packet = timeline.packets.iter().find(|packet| packet.id == id).expect("it leads somewhere");
        assert!(
            line.text.starts_with(&format!("packet {id}")) && (packet.sent == line.at || packet.end == Some(line.at))
        );
        leading += 1;
    }
    assert!(leading > 10);
}

#[test]
fn recording_for_a_picture_does_not_change_what_the_scenario_sees() {
    fn count(sim: Sim) -> windtunnel_sim::Body {
        Box::pin(async move {
            let socket = UdpSocket::bind(sim.main().addr(1)).await.unwrap();
            for shown in 0..3 {
                assert_eq!(sim.network_events().len(), shown, "before and after it is asked for");
                if shown == 0 {
                    socket.send_to(&[1], sim.main().addr(1)).await.unwrap();
                    sim.record_network();
                }
                socket.send_to(&[1], sim.main().addr(1)).await.unwrap();
            }
        })
    }
    let counting = Scenario { function: "count", body: count, ..SMALL };
    assert_eq!(counting.run(1).cause, None);
    assert_eq!(counting.run_traced(1).cause, None);
}

#[test]
fn a_chrome_trace_is_of_that_format() {
    let timeline = timeline(&SMALL);
    let trace: Value = serde_json::from_str(&timeline.to_chrome_trace()).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("a list");
    let of = |phase: &str| events.iter().filter(|event| event["ph"] == phase).collect::<Vec<_>>();
    for event in events {
        let (phase, is_meta) = (event["ph"].as_str().expect("a phase"), event["ph"] == "M");
        assert!(["M", "X", "i", "s", "f"].contains(&phase), "{event}");
        assert!(event["name"].is_string() && event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
        assert!(is_meta || event["ts"].as_f64().is_some_and(|ts| ts >= 0.0), "{event}");
        assert!(phase != "X" || event["dur"].as_f64().is_some_and(|dur| dur >= 0.0), "{event}");
        assert!(phase != "i" || ["g", "p", "t"].contains(&event["s"].as_str().unwrap()), "{event}");
        assert!(!is_meta || event["args"]["name"].is_string(), "{event}");
        let named = |what: &str| of("M").iter().any(|it| it["name"] == what && it["pid"] == event["pid"]);
        assert!(named("process_name"), "{event}");
    }
    // Each packet that arrived flows from a slice at its sender to a slice at its receiver.
    let arrived = timeline.packets.iter().filter(|packet| packet.end.is_some() && !packet.lost).count();
    assert_eq!((of("s").len(), of("f").len()), (arrived, arrived));
    for (start, finish) in of("s").into_iter().zip(of("f")) {
        assert!(start["id"] == finish["id"] && start["ts"].as_f64() < finish["ts"].as_f64());
        for end in [start, finish] {
            let encloses = |slice: &&&Value| ["ts", "pid", "tid"].iter().all(|key| slice[key] == end[key]);
            assert!(of("X").iter().any(|slice| encloses(&slice)), "{end}");
        }
    }
    let global = |category| of("i").iter().filter(|it| it["cat"] == category && it["s"] == "g").count();
    assert_eq!((global("fault"), global("failure")), (timeline.faults.len(), 1));
}

#[test]
fn twenty_thousand_packets_fit_into_ten_megabytes() {
    let (path, _) = page_of_failure(&LARGE);
    let page = fs::read_to_string(path).unwrap();
    assert_eq!(data(&page)["packets"].as_array().unwrap().len(), 20_000);
    assert!(page.len() < 10_000_000, "{} bytes", page.len());
}
