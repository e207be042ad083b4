#[test]
fn probe() {
    use crate::scenario::Scenario;
    for text in [
        "22:00 shift_start",
        "10:00 shift_start",
        "0:00 shift_start\n 1:00 arrived_on_site v1\n 1d 0:00 left_site v1",
        "22:00 shift_start\n 1d 11:00 shift_start",
        "22:00 shift_start\n 23:00 work_started v1\n 1d 2:00 work_started v1\n 1d 2:30 arrived_on_site v1\n 1d 10:00 work_paused v1\n 1d 21:00 work_completed v1",
        "10:00 shift_start\n 23:00 shift_end v1\n 1d 0:00 shift_start\n 1d 11:00 break_start\n 1d 21:30 shift_end",
        "10:00 shift_start\n 22:00 shift_start\n 1d 9:00 shift_start\n 1d 22:00 shift_start\n 2d 9:30 shift_start\n 2d 20:31 shift_start\n 3d 8:00 shift_start\n 3d 16:00 shift_start\n 3d 20:00 shift_start\n 4d 1:00 break_start",
        "10:00 shift_start\n 1d 0:00 shift_end",
    ] {
        let s = Scenario::parse(text);
        for clock in [crate::scenario::MONDAY_US, crate::scenario::MONDAY_US * 2] {
            let u = fieldline_processors_core::fold::fold(s.facts(), fieldline_schemas::Timestamp(clock), &Default::default());
            println!("{text}");
            for r in &u.shifts {
                println!(
                    "   {:?} {:?}  {:?}",
                    r.started_at,
                    r.anomalies,
                    r.days.iter().map(|d| (d.local_date - r.shift_date, d.anomalies)).collect::<Vec<_>>()
                );
            }
        }
    }
}
