fn main() -> anyhow::Result<()> {
    anyhow::bail!("no command is wired yet")
}
