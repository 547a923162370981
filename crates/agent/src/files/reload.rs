//! The reload program: told that files changed, without a shell between.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;

/// Runs it to its end; nothing when there is none. It gets no secret, neither by argument nor by environment.
pub async fn run(words: &[String]) -> anyhow::Result<()> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    let ended = tokio::time::timeout(LONGEST, child.wait()).await;
    let status = ended.with_context(|| format!("{program} takes longer than {LONGEST:?}"))?;
    let status = status.with_context(|| format!("waiting for {program}"))?;
    if !status.success() {
        bail!("{program} ended with {status}");
    }
    tracing::info!(program, "told that files changed");
    Ok(())
}

const LONGEST: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[tokio::test]
    async fn its_end_is_waited_for_and_its_failure_told() {
        run(&[]).await.unwrap();
        run(&words(&["/bin/true"])).await.unwrap();
        assert!(run(&words(&["/bin/false"])).await.unwrap_err().to_string().contains("ended with"));
        assert!(run(&words(&["/nowhere/at-all"])).await.is_err());
    }

    #[tokio::test]
    async fn no_shell_reads_the_arguments() {
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("made; touch elsewhere");
        run(&words(&["/usr/bin/touch", &made.to_string_lossy()])).await.unwrap();
        assert!(made.exists());
    }
}
