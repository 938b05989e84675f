//! Polynomials over GF(2) in a 64-bit word: arithmetic, irreducibility, generation, hexadecimal.

use std::fmt;
use std::str::FromStr;

/// A polynomial over GF(2); bit i is the coefficient of xⁱ.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Polynomial(u64);

/// The text is not a hexadecimal number of at most 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a polynomial in hexadecimal")]
pub struct ParsePolynomialError;

impl Polynomial {
    /// The degree of the polynomials that [`random`](Self::random) makes.
    pub const DEGREE: u32 = 53;

    /// Makes an irreducible polynomial of degree 53, as `init` needs one, out of random bytes.
    ///
    /// Calls `source` until the bytes fit, about 27 times; it must fill the buffer anew each time.
    ///
    /// # Errors
    /// Only those of `source`.
    pub fn random<E>(mut source: impl FnMut(&mut [u8; 8]) -> Result<(), E>) -> Result<Self, E> {
        let top = 1 << Self::DEGREE;
        let mut bytes = [0; 8];
        loop {
            source(&mut bytes)?;
            // Irreducible polynomials of a degree above 1 end in 1: otherwise x divides them.
            let candidate = Self(u64::from_le_bytes(bytes) & (top - 1) | top | 1);
            if candidate.is_irreducible() {
                return Ok(candidate);
            }
        }
    }

    /// The coefficients, that of x⁰ in the lowest bit.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The exponent of the highest term; 0 for the zero polynomial, too.
    pub fn degree(self) -> u32 {
        self.0.checked_ilog2().unwrap_or(0)
    }

    /// Tells whether no polynomial but 1 and itself divides this one (Ben-Or's test).
    ///
    /// x^(2^i) − x is the product of all irreducible polynomials whose degree divides i, so a
    /// factor of degree at most half of ours shows up in one of these greatest common divisors.
    pub fn is_irreducible(self) -> bool {
        const X: Polynomial = Polynomial(2);
        let mut power = X;
        self.degree() > 0
            && (1..=self.degree() / 2).all(|_| {
                power = power.mul_mod(power, self);
                power.add(X).gcd(self).0 == 1
            })
    }

    /// The sum, which over GF(2) is the difference as well.
    pub(crate) fn add(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }

    /// The remainder of this polynomial divided by `modulus`, which must not be zero.
    pub(crate) fn rem(self, modulus: Self) -> Self {
        let degree = modulus.degree();
        let mut rest = self;
        while rest.0 != 0 && rest.degree() >= degree {
            rest = rest.add(Self(modulus.0 << (rest.degree() - degree)));
        }
        rest
    }

    /// The remainder of `self · xⁿ` divided by `modulus`, which must not be zero.
    pub(crate) fn shifted_rem(self, n: u32, modulus: Self) -> Self {
        let top = 1 << modulus.degree();
        (0..n).fold(self.rem(modulus), |rest, _| {
            // Below the modulus' degree, hence at most one subtraction, and no bit is shifted out.
            let doubled = Self(rest.0 << 1);
            if doubled.0 & top == 0 { doubled } else { doubled.add(modulus) }
        })
    }

    /// The remainder of the product of two polynomials divided by `modulus`, which must not be zero.
    pub(crate) fn mul_mod(self, other: Self, modulus: Self) -> Self {
        // Horner's scheme over the bits of `other`, the highest first.
        (0..=other.degree()).rev().fold(Self(0), |product, bit| {
            let product = product.shifted_rem(1, modulus);
            if other.0 >> bit & 1 == 0 { product } else { product.add(self.rem(modulus)) }
        })
    }

    /// The greatest common divisor.
    pub(crate) fn gcd(self, other: Self) -> Self {
        let (mut a, mut b) = (self, other);
        while b.0 != 0 {
            (a, b) = (b, a.rem(b));
        }
        a
    }
}

impl From<u64> for Polynomial {
    fn from(bits: u64) -> Self {
        Self(bits)
    }
}

/// Accepts what a config may hold: hexadecimal digits of both cases, nothing before or after.
impl FromStr for Polynomial {
    type Err = ParsePolynomialError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // `from_str_radix` alone would also take a sign.
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ParsePolynomialError);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| ParsePolynomialError)
    }
}

/// Writes what a config holds: lower-case hexadecimal digits without leading zeros.
impl fmt::Display for Polynomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Debug for Polynomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Polynomial({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_exactly_the_irreducible_ones_of_small_degree() {
        // By trial division; the counts of degree 1 to 8 are 2, 1, 2, 3, 6, 9, 18, 30.
        let divides = |bits: u64| (2..bits).any(|divisor| Polynomial(bits).rem(Polynomial(divisor)).0 == 0);
        let mut counts = [0; 9];
        for bits in 0..512 {
            let polynomial = Polynomial(bits);
            assert_eq!(polynomial.is_irreducible(), bits > 1 && !divides(bits), "{bits:b}");
            counts[polynomial.degree() as usize] += u32::from(polynomial.is_irreducible());
        }
        assert_eq!(counts, [0, 2, 1, 2, 3, 6, 9, 18, 30]);
    }

    #[test]
    fn knows_irreducible_ones_of_large_degree() {
        for bits in [0x3da3358b4dc173, 0x3406130b99a249, 0x8000_0000_0000_0003, (1 << 61) | 0b100111] {
            assert!(Polynomial(bits).is_irreducible(), "{bits:x}");
        }
        assert!(!Polynomial(u64::MAX).is_irreducible(), "x + 1 divides what has an even number of terms");
        let square = Polynomial(0x0001_0000_002b).mul_mod(Polynomial(0x0001_0000_002b), Polynomial(u64::MAX));
        assert!(!square.is_irreducible());
    }

    #[test]
    fn random_takes_the_low_54_bits_little_endian() {
        // One away from an irreducible polynomial in each bit that is forced, and noise above.
        let mut offered =
            [0xff00_0000_0000_0000, 0x3da3358b4dc173 ^ (1 << 53) ^ 1 | (0x2ab << 54)].into_iter();
        let polynomial = Polynomial::random(|bytes| {
            *bytes = u64::to_le_bytes(offered.next().ok_or("the second one fits")?);
            Ok::<(), &str>(())
        });
        assert_eq!(polynomial.unwrap().to_string(), "3da3358b4dc173");
        assert_eq!(Polynomial::random(|_| Err("no entropy")), Err("no entropy"));
    }

    #[test]
    fn hexadecimal_is_read_in_both_cases_and_written_in_lower() {
        for text in ["3da3358b4dc173", "3DA3358B4DC173", "0003da3358b4dc173"] {
            assert_eq!(text.parse::<Polynomial>().unwrap().to_string(), "3da3358b4dc173");
        }
        for text in ["", "+3", "-3", "0x3", " 3", "3 ", "3_3", "g", "10000000000000000", "３"] {
            assert_eq!(text.parse::<Polynomial>(), Err(ParsePolynomialError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn products_obey_the_laws_of_a_ring(a: u64, b: u64, c: u64, modulus in 1u64..) {
            let [a, b, c, m] = [a, b, c, modulus].map(Polynomial);
            prop_assert_eq!(a.mul_mod(b, m), b.mul_mod(a, m));
            prop_assert_eq!(a.mul_mod(b.add(c), m), a.mul_mod(b, m).add(a.mul_mod(c, m)));
            prop_assert_eq!(a.mul_mod(b, m).mul_mod(c, m), a.mul_mod(b.mul_mod(c, m), m));
            prop_assert_eq!(a.shifted_rem(1, m), a.mul_mod(Polynomial(2), m));
        }

        #[test]
        fn a_common_divisor_divides(a: u32, b: u32, common in 1u32..) {
            let modulus = Polynomial(u64::MAX);
            let times = |factor: u32| {
                Polynomial(u64::from(factor)).mul_mod(Polynomial(u64::from(common)), modulus)
            };
            let divisor = times(a).gcd(times(b));
            prop_assert!(divisor.0 == 0 || divisor.rem(Polynomial(u64::from(common))).0 == 0);
        }
    }
}
