//! The database is what the rows and the documentation say it is.

use crate::setup::TestDatabase;
use fieldline_sinks::{Deadlines, Engines, MigrateError, migrate};
use fieldline_sinks_rows::{
    ActivityRows, AlertActionRows, AlertRows, CallRows, ContactRows, DeadLetterRows, DeliveryRows, EpisodeRows, FactRows, OperationRows,
    ShiftRows, SilenceRows,
};

#[test]
fn migrations_apply_once_and_refuse_what_they_do_not_know() {
    let test = TestDatabase::new("migrations");
    let again = || migrate(&test.target, Engines::Single, Deadlines::default());
    assert_eq!(again().unwrap(), 0);

    test.database.execute("INSERT INTO schema_migrations (number, name, hash) VALUES (1, 'schema_migrations', 'other')").unwrap();
    assert!(matches!(again(), Err(MigrateError::Changed { number: 1, .. })));

    test.database.execute("INSERT INTO schema_migrations (number, name, hash) VALUES (9999, 'of tomorrow', '')").unwrap();
    assert!(matches!(again(), Err(MigrateError::Ahead { found: 9999, .. })));

    // A crash between a statement and its record: the statement runs again.
    test.database.execute("TRUNCATE TABLE schema_migrations").unwrap();
    assert!(again().unwrap() > 10);
}

/// A folder of a release before: one of its views had another text, and another number.
#[test]
fn a_database_with_older_views_gets_the_new_ones() {
    let test = TestDatabase::new("older_views");
    test.database.execute("CREATE OR REPLACE VIEW data_quality AS SELECT 1 AS old").unwrap();
    test.database.execute("DROP VIEW near_duplicates").unwrap();
    test.database.execute("ALTER TABLE schema_migrations DELETE WHERE number = 21 SETTINGS mutations_sync = 2").unwrap();
    test.database.execute("INSERT INTO schema_migrations (number, name, hash) VALUES (20, 'view_data_quality', 'older')").unwrap();
    let again = || migrate(&test.target, Engines::Single, Deadlines::default()).unwrap();
    assert_eq!(again(), 2);
    assert_eq!(again(), 0);
    test.check("SELECT count() FROM near_duplicates", &["0"]);
    test.check("SELECT count() FROM data_quality WHERE near_duplicates > 0", &["0"]);
}

#[test]
fn a_name_that_is_no_name_is_refused() {
    let mut target = TestDatabase::new("names").target;
    target.database = "x`; DROP DATABASE default".to_owned();
    assert!(matches!(migrate(&target, Engines::Single, Deadlines::default()), Err(MigrateError::Name(_))));
}

#[test]
fn tables_have_the_columns_that_are_written() {
    let test = TestDatabase::new("columns");
    let tables = [
        ("technician_activity_log", ActivityRows::default().description()),
        ("communication_call_details_log", CallRows::default().description()),
        ("operational_event_log", OperationRows::default().description()),
        ("technician_facts_log", FactRows::default().description()),
        ("shift_results", ShiftRows::default().description()),
        ("shift_results_history", ShiftRows::default().description()),
        ("episode_results", EpisodeRows::default().description()),
        ("episode_results_history", EpisodeRows::default().description()),
        ("alert_results", AlertRows::default().description()),
        ("alert_history", AlertRows::default().description()),
        ("alert_deliveries_log", DeliveryRows::default().description()),
        ("contacts_log", ContactRows::default().description()),
        ("silences_log", SilenceRows::default().description()),
        ("alert_actions_log", AlertActionRows::default().description()),
        ("dead_letters_log", DeadLetterRows::default().description()),
    ];
    for (table, written) in tables {
        let stored = test.lines(&format!(
            "SELECT name || '\t' || type FROM system.columns WHERE database = currentDatabase() AND table = '{table}' \
             AND default_kind = '' ORDER BY position FORMAT TSVRaw"
        ));
        let written: Vec<_> = written.into_iter().map(|(name, kind)| format!("{name}\t{kind}")).collect();
        assert_eq!(stored, written, "{table}");
    }
}

#[test]
fn every_table_view_and_column_is_described() {
    let test = TestDatabase::new("comments");
    test.check("SELECT name FROM system.tables WHERE database = currentDatabase() AND comment = ''", &[]);
    test.check("SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = ''", &[]);
    test.check("SELECT count() >= 10 FROM system.tables WHERE database = currentDatabase() AND engine = 'View'", &["1"]);
}

#[test]
fn every_view_answers_with_the_types_it_declares() {
    let test = TestDatabase::new("empty");
    for view in test.lines("SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View'") {
        // A view gives what its query gives, whatever its declaration says; the header shows it.
        let header = test.lines(&format!("SELECT * FROM {view} FORMAT TSVRawWithNamesAndTypes"));
        let declared = |column: &str| {
            let sql = format!(
                "SELECT {column} FROM system.columns WHERE database = currentDatabase() AND table = '{view}' ORDER BY position FORMAT TSVRaw"
            );
            test.lines(&sql).join("\t")
        };
        assert_eq!(header, [declared("name"), declared("type")], "{view}");
    }
}
