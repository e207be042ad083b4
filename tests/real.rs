//! Real records, where files of them are named by `FIELDLINE_EMS_FILE`, `FIELDLINE_CALLS_FILE` and
//! `FIELDLINE_INCIDENTS_FILE`; `.ci/run` names them where they are there.

use crate::arrival::{assert_same_as_live, import_shuffled};
use crate::kills::kill_and_import_again;
use crate::office::{assert_calls_equal, assert_incidents_equal};
use crate::support::folder::Folder;
use crate::support::log;
use crate::support::views::{ABOUT_ARRIVAL, Snapshot};
use crate::whole::assert_equals_the_oracle;
use std::io::{Read as _, Write as _};

const KILLS: usize = 50;

/// The file. Without the variable a test says that it has tested nothing: it is no proof that real records are right.
fn file(variable: &str, what: &str) -> Option<String> {
    let file = std::env::var(variable).ok();
    if file.is_none() {
        // Not through println, which a passing test keeps to itself.
        _ = writeln!(std::io::stderr(), "left out: {what} ({variable} names no file)");
    }
    file
}

fn lines(file: &str) -> Vec<String> {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| format!("{line}\n")).collect()
}

#[test]
fn real_records_equal_the_oracle_however_they_arrive() {
    let Some(file) = file("FIELDLINE_EMS_FILE", "real records against the oracle") else { return };
    let folder = Folder::new();
    folder.ok(&["import", &file]);
    let records = log::assert_conserved(&folder);
    let rows = assert_equals_the_oracle(&folder);
    println!("compared with the oracle: {rows} rows of {records} records");
    assert!(rows > 0 && records > 0);

    let straight = Snapshot::of(&folder);
    let lines = lines(&file);
    straight.assert_same(&Snapshot::of(&import_shuffled(&lines)), ABOUT_ARRIVAL, "shuffled, partly doubled, in three files");
    folder.ok(&["--set", "sinks.batch_rows=777", "import", &file]);
    straight.assert_same(&Snapshot::of(&folder), ABOUT_ARRIVAL, "imported again in other chunks");
    let (compared, all) = assert_same_as_live(&straight, &file, &lines);
    println!("the same rows shuffled, doubled and cut in three; imported again; as live ({compared} of {all} compared, A29 apart)");
}

#[test]
fn real_records_survive_kills() {
    let Some(file) = file("FIELDLINE_EMS_FILE", "kills during an import of real records") else { return };
    kill_and_import_again(&file, KILLS);
}

#[test]
fn real_records_of_calls_equal_their_file() {
    let Some(file) = file("FIELDLINE_CALLS_FILE", "real calls against their file") else { return };
    let folder = Folder::new();
    folder.ok(&["import", &file]);
    let rows = assert_calls_equal(&folder, &lines(&file));
    println!("compared with the file: {rows} rows of calls and service levels");
    assert!(rows > 0);
}

#[test]
fn real_records_of_incidents_equal_their_file() {
    let Some(file) = file("FIELDLINE_INCIDENTS_FILE", "real incidents against their file") else { return };
    let folder = Folder::new();
    folder.ok(&["import", &file]);
    let (rows, reopened) = assert_incidents_equal(&folder, &lines(&file));
    println!("compared with the file: {rows} incidents, {reopened} of them reopened");
    assert!(rows > 0);
}
