//! Where technicians drive: depots of a small country, destinations around them, roads that are longer than the bird's way.

use super::draft::Place;
use super::random::Random;

/// Depots in units of 1e-6 degrees.
const DEPOTS: [Place; 8] = [
    Place { latitude: 52_370_000, longitude: 4_895_000 },
    Place { latitude: 52_090_000, longitude: 5_121_000 },
    Place { latitude: 51_924_000, longitude: 4_477_000 },
    Place { latitude: 52_078_000, longitude: 4_288_000 },
    Place { latitude: 51_441_000, longitude: 5_469_000 },
    Place { latitude: 53_219_000, longitude: 6_566_000 },
    Place { latitude: 52_221_000, longitude: 6_893_000 },
    Place { latitude: 50_851_000, longitude: 5_690_000 },
];
const METERS_PER_DEGREE_NORTH: f64 = 111_200.0;
/// At 52 degrees north.
const METERS_PER_DEGREE_EAST: f64 = 68_500.0;
/// How far from the depot the work is.
const RADIUS_METERS: f64 = 25_000.0;
/// How much longer a road is than the straight line.
const DETOUR: f64 = 1.3;

pub(super) fn depot(technician: u32) -> Place {
    DEPOTS[technician as usize % DEPOTS.len()]
}

/// Somewhere around a depot, nearer rather than farther.
pub(super) fn destination(random: &mut Random, depot: Place) -> Place {
    let mut offset = |meters_per_degree: f64| (random.normal().clamp(-2.5, 2.5) * 0.4 * RADIUS_METERS / meters_per_degree * 1e6) as i32;
    Place { latitude: depot.latitude + offset(METERS_PER_DEGREE_NORTH), longitude: depot.longitude + offset(METERS_PER_DEGREE_EAST) }
}

/// A receiver's error of some ten metres.
pub(super) fn blurred(random: &mut Random, place: Place) -> Place {
    Place { latitude: place.latitude + random.between(-120, 120) as i32, longitude: place.longitude + random.between(-180, 180) as i32 }
}

pub(super) fn midway(a: Place, b: Place) -> Place {
    Place { latitude: i32::midpoint(a.latitude, b.latitude), longitude: i32::midpoint(a.longitude, b.longitude) }
}

/// The straight line, in metres.
pub(super) fn distance_meters(a: Place, b: Place) -> f64 {
    let north = f64::from(a.latitude - b.latitude) * 1e-6 * METERS_PER_DEGREE_NORTH;
    let east = f64::from(a.longitude - b.longitude) * 1e-6 * METERS_PER_DEGREE_EAST;
    (north * north + east * east).sqrt()
}

/// How long the drive takes, in microseconds: parking, then city and country roads at 25 to 70 km/h.
pub(super) fn drive_us(random: &mut Random, a: Place, b: Place) -> i64 {
    let road_meters = distance_meters(a, b) * DETOUR;
    let meters_per_second = (25.0 + 45.0 * (road_meters / 30_000.0).min(1.0)) / 3.6 * (0.85 + 0.3 * random.unit());
    ((road_meters / meters_per_second + 90.0 + 120.0 * random.unit()) * 1e6) as i64
}
