//! Kafka's jars: found, or fetched once by Maven.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const POM: &str = include_str!("../pom.xml");

/// The folder of the jars, else what is missing to have it.
pub(crate) fn folder() -> Result<PathBuf, String> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

fn find() -> Result<PathBuf, String> {
    runs("java", "-version").map_err(|why| format!("java {why}"))?;
    if let Some(named) = std::env::var_os("FIELDLINE_KAFKA_JARS") {
        let named = PathBuf::from(named);
        return if named.is_dir() { Ok(named) } else { Err(format!("FIELDLINE_KAFKA_JARS names no folder: {}", named.display())) };
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cache")));
    let home = cache.ok_or("a home folder to keep its jars in")?.join("fieldline/kafka");
    let folder = home.join(version());
    let problem = |doing: &str, error: std::io::Error| format!("{doing} {}: {error}", home.display());
    fs::create_dir_all(&home).map_err(|error| problem("making", error))?;
    // One fetches, the others wait; the lock goes with whoever holds it.
    let lock = File::create(home.join("lock")).map_err(|error| problem("making a lock in", error))?;
    lock.lock().map_err(|error| problem("locking", error))?;
    // The folder has its name only when it is whole.
    if !folder.is_dir() {
        let fetched = home.join(format!("{}.part", version()));
        fetch(&fetched)?;
        fs::rename(&fetched, &folder).map_err(|error| problem("renaming in", error))?;
    }
    Ok(folder)
}

fn fetch(into: &Path) -> Result<(), String> {
    runs("mvn", "--version").map_err(|why| format!("mvn {why}"))?;
    // What an attempt before left behind.
    _ = fs::remove_dir_all(into);
    fs::create_dir_all(into).map_err(|error| format!("making {}: {error}", into.display()))?;
    let pom = into.join("pom.xml");
    fs::write(&pom, POM).map_err(|error| format!("writing {}: {error}", pom.display()))?;
    eprintln!("fetching the jars of Apache Kafka {} with Maven", version());
    let fetched = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&pom)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", into.display()))
        .arg("-DincludeScope=runtime")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("mvn does not run: {error}"))?;
    if fetched.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&fetched.stdout);
    let first = said.lines().find(|line| line.contains("ERROR")).unwrap_or("it does not say why");
    Err(format!("mvn could not fetch its jars: {first}"))
}

fn runs(program: &str, argument: &str) -> Result<(), String> {
    let ran = Command::new(program).arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match ran {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("does not run ({status})")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("is not installed".to_owned()),
        Err(error) => Err(format!("does not run: {error}")),
    }
}

fn version() -> &'static str {
    let (open, close) = ("<kafka.version>", "</kafka.version>");
    let start = POM.find(open).map_or(0, |at| at + open.len());
    let length = POM[start..].find(close).unwrap_or(0);
    &POM[start..start + length]
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_pom_names_a_version() {
        assert!(
            super::version().split('.').count() == 3 && super::version().starts_with(|c: char| c.is_ascii_digit()),
            "{}",
            super::version()
        );
    }
}
