//! Numbers of JSON as exact decimals: no digit is lost, whatever a double could hold. The work is bounded by the length of
//! the text, never by the size of an exponent.

/// Digits up to which a number is written out, a 0 before the point included; what is longer is written as `1.5e300`.
/// Content hashes are made of this form: it never changes.
const PLAIN_DIGITS_MAX: usize = 40;
/// Digits of an exponent that is computed with. A number with a longer one stays as it was sent.
const EXPONENT_DIGITS_MAX: usize = 30;
/// Digits of the largest numbers of 64 bits.
const I64_DIGITS_MAX: i128 = 19;

/// Appends a number in its one spelling: 1.0 and 10e-1 are 1, -0 is 0.
pub(crate) fn put_normal(number: &str, out: &mut String) {
    if is_plain(number.as_bytes()) { out.push_str(number) } else { Decimal::of(number).put(number, out) }
}

/// Whether a number is in the spelling that `put_normal` gives it.
pub(crate) fn is_normal(number: &[u8]) -> bool {
    let put = || {
        let number = std::str::from_utf8(number).ok()?;
        let mut normal = String::with_capacity(number.len());
        put_normal(number, &mut normal);
        Some(normal == number)
    };
    is_plain(number) || put().unwrap_or(false)
}

/// A whole number of 64 bits, however it is written; `None` where it is none, or too large.
pub(crate) fn whole(number: &str) -> Option<i64> {
    number.parse().ok().or_else(|| Decimal::of(number).whole())
}

/// The next whole number away from zero, at most the largest of 32 bits.
pub(crate) fn rounded_up(number: &str) -> i32 {
    let whole = number.parse().unwrap_or_else(|_| Decimal::of(number).rounded_up());
    whole.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// The numbers that need no look at their value: short, without an exponent, not ending in zeroes after the point.
fn is_plain(number: &[u8]) -> bool {
    let (mut digits, mut has_point) = (0, false);
    for byte in number {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' => has_point = true,
            b'-' => {}
            _ => return false,
        }
    }
    digits <= PLAIN_DIGITS_MAX && !(has_point && number.ends_with(b"0")) && number != b"-0"
}

/// `digits × 10^exponent`.
struct Decimal {
    is_negative: bool,
    /// Without zeroes at either end; none at all is the number 0.
    digits: String,
    exponent: i128,
    /// Whether the exponent was short enough to be computed with; otherwise it is only known to be huge.
    is_exact: bool,
}

impl Decimal {
    /// Takes a well-formed number of JSON apart.
    fn of(number: &str) -> Self {
        let (is_negative, number) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (exponent, is_exact) = exponent_of(exponent);
        let mut digits = format!("{integer}{fraction}");
        let length = digits.len();
        digits.truncate(digits.trim_end_matches('0').len());
        let zeroes = length - digits.len();
        digits.drain(..digits.len() - digits.trim_start_matches('0').len());
        Self { is_negative, digits, exponent: exponent - fraction.len() as i128 + zeroes as i128, is_exact }
    }

    /// How many digits stand before the point; 0 or less for a fraction.
    fn point(&self) -> i128 {
        self.digits.len() as i128 + self.exponent
    }

    fn put(&self, sent: &str, out: &mut String) {
        let Some((first, rest)) = self.digits.split_at_checked(1).filter(|(first, _)| !first.is_empty()) else {
            return out.push('0');
        };
        if !self.is_exact {
            return out.push_str(sent);
        }
        out.push_str(if self.is_negative { "-" } else { "" });
        let point = self.point();
        let plain = point.max(1) - self.exponent.min(0);
        if plain > PLAIN_DIGITS_MAX as i128 {
            let point_of_rest = if rest.is_empty() { "" } else { "." };
            return out.push_str(&format!("{first}{point_of_rest}{rest}e{}", point - 1));
        }
        // From here on everything is at most PLAIN_DIGITS_MAX.
        let zeroes = |count: i128| "0".repeat(usize::try_from(count).unwrap_or(0));
        match usize::try_from(point).ok().and_then(|point| self.digits.split_at_checked(point)) {
            Some(("", fraction)) => out.push_str(&format!("0.{fraction}")),
            Some((integer, "")) => out.push_str(integer),
            Some((integer, fraction)) => out.push_str(&format!("{integer}.{fraction}")),
            None if point > 0 => out.push_str(&format!("{}{}", self.digits, zeroes(self.exponent))),
            None => out.push_str(&format!("0.{}{}", zeroes(-point), self.digits)),
        }
    }

    fn whole(&self) -> Option<i64> {
        if self.digits.is_empty() {
            return Some(0);
        }
        if self.exponent < 0 || self.point() > I64_DIGITS_MAX {
            return None;
        }
        let size: i128 = self.digits.parse().ok()?;
        let size = size * 10_i128.pow(u32::try_from(self.exponent).ok()?);
        i64::try_from(if self.is_negative { -size } else { size }).ok()
    }

    fn rounded_up(&self) -> i64 {
        let size = match self.point() {
            _ if self.digits.is_empty() => 0,
            ..=0 => 1,
            point if point > I64_DIGITS_MAX - 1 => i64::MAX,
            point => {
                let written = self.digits.len().min(point as usize);
                let zeroes = point as u32 - written as u32;
                let integer = self.digits.get(..written).and_then(|digits| digits.parse::<i64>().ok()).unwrap_or(0);
                integer * 10_i64.pow(zeroes) + i64::from(self.exponent < 0)
            }
        };
        if self.is_negative { -size } else { size }
    }
}

/// An exponent, and whether it is exact; one beyond what is computed with is as good as infinite.
fn exponent_of(text: &str) -> (i128, bool) {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let digits = digits.trim_start_matches('+').trim_start_matches('0');
    let exponent = if digits.is_empty() { Some(0) } else { digits.parse::<i128>().ok() };
    let is_short = digits.len() <= EXPONENT_DIGITS_MAX;
    match exponent.filter(|_| is_short) {
        Some(exponent) => (sign * exponent, true),
        None => (sign * 10_i128.pow(EXPONENT_DIGITS_MAX as u32), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normal(number: &str) -> String {
        let mut out = String::new();
        put_normal(number, &mut out);
        out
    }

    #[test]
    fn one_spelling_of_every_number() {
        let check = |spellings: &[&str], expect: &str| {
            for number in spellings {
                assert_eq!(normal(number), expect, "{number}");
            }
            assert!(is_normal(expect.as_bytes()), "{expect}");
        };
        check(&["0", "-0", "0.0", "-0.00", "0e7", "0E-999999999999999999999999999999999999"], "0");
        check(&["1", "1.0", "1e0", "1E+0", "10e-1", "0.1e1", "1.000e-0"], "1");
        check(&["10", "1e1", "1E1", "1e+01", "100e-1", "10.0"], "10");
        check(&["0.1", "0.10", "1e-1", "10E-2"], "0.1");
        check(&["-0.05", "-5e-2", "-0.0500"], "-0.05");
        check(&["-12.5", "-1.25e1", "-1250e-2"], "-12.5");
        check(&["1000", "1e3", "1.0E3"], "1000");
        check(&["12345678901234567890123", "12345678901234567890123.0", "1.2345678901234567890123e22"], "12345678901234567890123");
        check(&["0.10000000000000000001", "10000000000000000001e-20"], "0.10000000000000000001");
        check(&["1e39", &format!("1{}", "0".repeat(39))], &format!("1{}", "0".repeat(39)));
        check(&["1e40", &format!("1{}", "0".repeat(40)), "10e39", "0.1e41"], "1e40");
        check(&["1e-39", "0.01e-37"], &format!("0.{}1", "0".repeat(38)));
        check(&["1e-40", "10e-41", &format!("0.{}1", "0".repeat(39))], "1e-40");
        check(&["-1.5e300", "-15E+299"], "-1.5e300");
        check(&[&format!("{}.5", "7".repeat(40))], &format!("7.{}5e39", "7".repeat(39)));
        // An exponent that is not computed with.
        check(&["1E+1000000000000000000000000000000"], "1E+1000000000000000000000000000000");
    }

    #[test]
    fn whole_numbers_are_exact() {
        let check = |number: &str, expect: Option<i64>| assert_eq!(whole(number), expect, "{number}");
        check("12", Some(12));
        check("12.0", Some(12));
        check("1.2e1", Some(12));
        check("120e-1", Some(12));
        check("-0", Some(0));
        check("-0.0e99999999999999999999999999999999999999", Some(0));
        check("1e18", Some(1_000_000_000_000_000_000));
        check("1e19", None);
        check("9007199254740993.0", Some(9_007_199_254_740_993));
        check("9223372036854775807.0", Some(i64::MAX));
        check("9223372036854775808.0", None);
        check("9223372036854775808", None);
        check("-9.223372036854775808e18", Some(i64::MIN));
        check("-9.223372036854775809e18", None);
        check("12.5", None);
        check("1e-1", None);
        check("1e99999999999999999999999999999999999999999", None);
        check("1e-99999999999999999999999999999999999999999", None);
        check(&format!("7.{}", "0".repeat(1_000_000)), Some(7));
        check(&format!("7{}e-1000000", "0".repeat(1_000_000)), Some(7));
        check(&format!("0.{}7e1000001", "0".repeat(1_000_000)), Some(7));
        check(&format!("0.{}7e1000000", "0".repeat(1_000_000)), None);
        check(&"9".repeat(1_000_000), None);
    }

    #[test]
    fn a_fraction_is_rounded_away_from_zero_and_nothing_is_too_large() {
        let check = |number: &str, expect: i32| assert_eq!(rounded_up(number), expect, "{number}");
        check("12", 12);
        check("12.0", 12);
        check("12.000001", 13);
        check("1.25e1", 13);
        check("0.0", 0);
        check("1e-400", 1);
        check("1e-99999999999999999999999999999999999999999", 1);
        check("-4", -4);
        check("-0.5", -1);
        check("-12.5", -13);
        check("2147483647", i32::MAX);
        check("2147483646.1", i32::MAX);
        check("3000000000", i32::MAX);
        check("1e18", i32::MAX);
        check("1e400", i32::MAX);
        check("1e99999999999999999999999999999999999999999", i32::MAX);
        check("-1e400", i32::MIN);
        check("1.20e3", 1200);
    }

    proptest! {
        /// Another spelling of a number has the same normal form, which is its own normal form and the same double.
        #[test]
        fn normal_form_is_one(digits in "[0-9]{1,45}", place in 0..45_usize, exponent in -60..60_i128, shift in 0..50_usize) {
            let (integer, fraction) = digits.split_at(place.min(digits.len() - 1) + 1);
            let integer = integer.trim_start_matches('0');
            let integer = if integer.is_empty() { "0" } else { integer };
            let point = if fraction.is_empty() { "" } else { "." };
            let one = format!("{integer}{point}{fraction}e{exponent}");
            let other = format!("{}E{:+}", digits.trim_start_matches('0').to_owned() + "0", exponent - fraction.len() as i128 - 1);
            let form = normal(&one);
            if !digits.trim_matches('0').is_empty() {
                prop_assert_eq!(&form, &normal(&other));
                let padded = format!("{integer}.{fraction}{}e{exponent}", "0".repeat(shift + 1));
                prop_assert_eq!(&form, &normal(&padded));
            }
            prop_assert_eq!(&form, &normal(&form));
            prop_assert!(is_normal(form.as_bytes()));
            prop_assert_eq!(form.parse::<f64>().unwrap(), one.parse::<f64>().unwrap());
        }
    }
}
