//! A plug-in in a process of its own, joined to its host by nothing but its stdin and stdout. It has no socket and knows no
//! address; it can call the objects that the host hands to it, here a `Document`, which stays in the host. When the plug-in
//! dies, the host has an error to handle. Run it with `cargo run --example attach_child`.

use std::process::Stdio;

use rmi::{Node, RemoteError, remote};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What the plug-in offers.
#[remote]
trait Plugin {
    /// Counts the words of a document.
    async fn count_words(&self, document: DocumentProxy) -> Result<usize, PluginError>;
}

/// What the host hands to it.
#[remote]
trait Document {
    /// The line with this number, counted from 0; `None` after the last.
    async fn line(&self, number: usize) -> Result<Option<String>, RemoteError>;
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
enum PluginError {
    #[error("the document is empty")]
    Empty,
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

// ---- the plug-in ----

struct WordCounter;

impl Plugin for WordCounter {
    async fn count_words(&self, document: DocumentProxy) -> Result<usize, PluginError> {
        let mut words = None;
        for number in 0.. {
            let Some(line) = document.line(number).await? else { break };
            if line.contains("crash") {
                std::process::exit(1); // a bug
            }
            *words.get_or_insert(0) += line.split_whitespace().count();
        }
        words.ok_or(PluginError::Empty)
    }
}

/// Serves the process that started this one, and ends with it. Stdout belongs to the session: messages go to stderr.
async fn plugin() -> Outcome<()> {
    let node = Node::builder().start().await?;
    node.publish("plugin", &PluginProxy::new(WordCounter));
    let host = node.attach(tokio::io::join(tokio::io::stdin(), tokio::io::stdout())).await?;
    let reason = host.closed().await;
    eprintln!("plug-in {}: the session is over: {reason}", std::process::id());
    Ok(())
}

// ---- the host ----

struct Text(&'static [&'static str]);

impl Document for Text {
    async fn line(&self, number: usize) -> Result<Option<String>, RemoteError> {
        Ok(self.0.get(number).map(|line| (*line).to_owned()))
    }
}

/// Starts a plug-in. The child is killed when it is dropped, and ends by itself when this process does.
async fn start_plugin(host: &Node) -> Outcome<(Child, PluginProxy)> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("plugin")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (output, input) = child.stdout.take().zip(child.stdin.take()).ok_or("the child has no pipes")?;
    let peer = host.attach(tokio::io::join(output, input)).await?;
    Ok((child, peer.root("plugin").await?))
}

async fn host() -> Outcome<()> {
    let node = Node::builder().start().await?;
    let poem = DocumentProxy::new(Text(&["so much depends", "upon", "a red wheel barrow"]));

    let (mut child, plugin) = start_plugin(&node).await?;
    println!("host {}: my plug-in is {plugin:?}", std::process::id());
    println!("host: it counts {} words", plugin.count_words(poem.clone()).await?);
    assert_eq!(plugin.count_words(poem.clone()).await?, 8);
    let empty = plugin.count_words(DocumentProxy::new(Text(&[]))).await;
    assert!(matches!(empty, Err(PluginError::Empty)), "{empty:?}");

    // A document that the plug-in cannot stand. It is gone then, and a new one goes on with the next.
    let poison = DocumentProxy::new(Text(&["crash"]));
    match plugin.count_words(poison).await {
        Err(PluginError::Remote(error)) if error.may_have_executed() => println!("host: {error}"),
        other => return Err(format!("a crash came back as {other:?}").into()),
    }
    assert_eq!(child.wait().await?.code(), Some(1));
    let (mut child, plugin) = start_plugin(&node).await?;
    assert_eq!(plugin.count_words(poem).await?, 8);

    node.shutdown().await;
    assert!(child.wait().await?.success());
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome<()> {
    match std::env::args().nth(1).as_deref() {
        Some("plugin") => plugin().await,
        _ => host().await,
    }
}
