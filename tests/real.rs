//! Real records, where a file of them is named by `FIELDLINE_EMS_FILE`; `.ci/run` names it where it is there.

use crate::support::folder::Folder;
use crate::support::log;
use crate::whole::assert_equals_the_oracle;
use std::io::Write as _;

/// Without the variable this test says that it has tested nothing: it is no proof that real records are right.
#[test]
fn real_records_equal_the_oracle_where_a_file_is_named() {
    let Ok(file) = std::env::var("FIELDLINE_EMS_FILE") else {
        // Not through println, which a passing test keeps to itself.
        _ = writeln!(std::io::stderr(), "left out: real records against the oracle (FIELDLINE_EMS_FILE names no file)");
        return;
    };
    let folder = Folder::new();
    folder.ok(&["import", &file]);
    let records = log::assert_conserved(&folder);
    let rows = assert_equals_the_oracle(&folder);
    println!("compared with the oracle: {rows} rows of {records} records");
    assert!(rows > 0 && records > 0);
}
