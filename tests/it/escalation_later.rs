//! A request that could not be sent is kept, if the user wants that, and sent later by one command.

use crate::escalation::{SOURCE, Scene, says, words};
use crate::provider::Provider;
use crate::support::{keyside, run};

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_sent_is_sent_later() {
    let provider = Provider::start(says("It multiplies, later.")).await;
    // Nobody is there at first: a port that was free a moment ago.
    let gone =
        tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let settings = provider.settings("keep_unsent = true");
    let scene =
        Scene::new(&settings.replace(&format!(":{}", provider.port), &format!(":{gone}")), SOURCE)
            .await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.told(words::KEPT_FOR_LATER).await;
    let home = scene.client.home.0.clone();
    let retry = || {
        let output = run(keyside(&home, &["cloud", "retry"]), "");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    // The provider has moved, and that is not what was agreed to.
    std::fs::write(home.join("config.toml"), &settings).unwrap();
    let (_, sentence) = retry();
    assert!(sentence.contains("another model or host now"), "{sentence}");
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", gone)).await.unwrap();
    tokio::spawn(provider_at(listener, provider.port));
    std::fs::write(
        home.join("config.toml"),
        settings.replace(&format!(":{}", provider.port), &format!(":{gone}")),
    )
    .unwrap();
    let (answer, sentence) = retry();
    assert_eq!(answer, "It multiplies, later.\n", "{sentence}");
    assert_eq!(retry().0, "nothing is kept\n");
    assert_eq!(provider.requests().len(), 1);
}

/// Hands connections on to another port.
async fn provider_at(listener: tokio::net::TcpListener, port: u16) {
    while let Ok((mut here, _)) = listener.accept().await {
        let mut there = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut here, &mut there).await });
    }
}

/// What was kept is what is sent: neither its bytes nor what is reckoned with it can be others.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_and_has_changed_is_not_sent() {
    let provider = Provider::start(says("It multiplies, later.")).await;
    let gone =
        tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let settings = provider
        .settings("keep_unsent = true")
        .replace(&format!(":{}", provider.port), &format!(":{gone}"));
    let scene = Scene::new(&settings, SOURCE).await;
    scene.answers(&["Send once"]);
    scene.choose("keyside.explain").await;
    scene.told(words::KEPT_FOR_LATER).await;
    let home = scene.client.home.0.clone();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", gone)).await.unwrap();
    tokio::spawn(provider_at(listener, provider.port));
    let folder = scene.client.home.folders().data.join("unsent");
    let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let kept = std::fs::read_to_string(&file).unwrap();
    let retry = || {
        let output = run(keyside(&home, &["cloud", "retry"]), "");
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let value: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let body = value["body"].as_str().unwrap();
    // Another text, under the old hash and under its own; and a limit that would cost more than was reserved.
    let other = body.replace("width", "depth");
    let more = body.replace("\"max_tokens\":8000", "\"max_tokens\":80000");
    assert!(other != body && more != body);
    for (body, words) in [(&other, "has changed since it was agreed to"), (&more, "has changed")] {
        let mut changed = value.clone();
        changed["body"] = body.as_str().into();
        std::fs::write(&file, changed.to_string()).unwrap();
        let (_, sentence) = retry();
        assert!(sentence.contains(words), "{sentence}");
        changed["sha256"] = keyside::stdx::hex_sha256(body.as_bytes()).into();
        std::fs::write(&file, changed.to_string()).unwrap();
        let (_, sentence) = retry();
        assert!(sentence.contains("knows of no such request"), "{sentence}");
    }
    // It is of the workspace of which it was agreed to.
    let mut changed = value.clone();
    changed["workspace"] = "/elsewhere".into();
    std::fs::write(&file, changed.to_string()).unwrap();
    let (_, sentence) = retry();
    assert!(sentence.contains("knows of no such request"), "{sentence}");
    assert!(provider.requests().is_empty());
    // It is reserved anew, at the cap of today.
    std::fs::write(&file, &kept).unwrap();
    std::fs::write(
        home.join("config.toml"),
        settings.replace("keep_unsent = true", "daily_cap_usd = 0.01"),
    )
    .unwrap();
    let (_, sentence) = retry();
    assert!(sentence.contains("cloud.daily_cap_usd"), "{sentence}");
    assert!(provider.requests().is_empty());
    std::fs::write(home.join("config.toml"), &settings).unwrap();
    assert_eq!(retry().0, "It multiplies, later.\n");
    assert_eq!(provider.requests()[0].body, body);
}
