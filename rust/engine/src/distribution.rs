//! Distributions of durations and latencies, read by quantile.

/// A sorted sample; its quantile function is the step function that returns sample values only.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    sorted: Vec<f64>,
    /// Weight of the values up to and including each one; `None` when all weigh the same.
    cumulative: Option<Vec<f64>>,
}

impl Sample {
    /// Sorts finite values.
    #[must_use]
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        Self { sorted: values, cumulative: None }
    }

    /// Sorts finite values, each with a positive weight.
    #[must_use]
    pub fn weighted(mut values: Vec<(f64, f64)>) -> Self {
        values.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
        let all_are_equal = values.iter().all(|(_, weight)| weight.to_bits() == values[0].1.to_bits());
        let cumulative = (!all_are_equal).then(|| {
            let mut sum = 0.0;
            values
                .iter()
                .map(|(_, weight)| {
                    sum += weight;
                    sum
                })
                .collect()
        });
        Self { sorted: values.into_iter().map(|(value, _)| value).collect(), cumulative }
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The value at position `u` in [0, 1): every value owns a share of the interval in proportion to its weight, the
    /// last one included.
    ///
    /// # Panics
    /// When the sample is empty.
    #[must_use]
    pub fn quantile(&self, u: f64) -> f64 {
        let index = match &self.cumulative {
            None => (u * self.sorted.len() as f64) as usize,
            Some(cumulative) => {
                let position = u * cumulative[cumulative.len() - 1];
                cumulative.partition_point(|&weight| weight <= position)
            }
        };
        self.sorted[index.min(self.sorted.len() - 1)]
    }

    /// The part of [0, 1) that belongs to `value`: equal values share theirs.
    #[must_use]
    pub fn share_of(&self, value: f64) -> Share {
        let below = self.sorted.partition_point(|&other| other < value);
        let not_above = self.sorted.partition_point(|&other| other <= value);
        let weight_of_first = |count: usize| match &self.cumulative {
            None => count as f64,
            Some(_) if count == 0 => 0.0,
            Some(cumulative) => cumulative[count - 1],
        };
        Share {
            below: weight_of_first(below),
            equal: weight_of_first(not_above) - weight_of_first(below),
            total: weight_of_first(self.sorted.len()),
        }
    }
}

/// Where an observed value lies within its sample, in weight (1 a value if all weigh the same): after `below`, within
/// `equal`, of `total`.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    below: f64,
    equal: f64,
    total: f64,
}

impl Share {
    /// The whole interval, for a run that does not say.
    pub const UNKNOWN: Self = Self { below: 0.0, equal: 1.0, total: 1.0 };

    /// A position within the share; `uniform` in [0, 1) spreads ties evenly.
    #[must_use]
    pub fn position(self, uniform: f64) -> f64 {
        (self.below + uniform * self.equal) / self.total
    }
}

/// Inverse of the standard normal distribution function.
///
/// Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37 (1988): about 16 digits. Probabilities are kept
/// inside [2^-54, 1 - 2^-53].
#[must_use]
pub fn inverse_normal(probability: f64) -> f64 {
    const CENTRAL_NUMERATOR: [f64; 8] = [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ];
    const CENTRAL_DENOMINATOR: [f64; 8] = [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_545,
    ];
    const NEAR_NUMERATOR: [f64; 8] = [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ];
    const NEAR_DENOMINATOR: [f64; 8] = [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ];
    const FAR_NUMERATOR: [f64; 8] = [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        1.242_660_947_388_078_4e-3,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ];
    const FAR_DENOMINATOR: [f64; 8] = [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ];
    fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
        coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
    }
    let probability = probability.clamp(f64::EPSILON / 4.0, 1.0 - f64::EPSILON / 2.0);
    let centred = probability - 0.5;
    if centred.abs() <= 0.425 {
        let r = 0.180_625 - centred * centred;
        return centred * polynomial(&CENTRAL_NUMERATOR, r) / polynomial(&CENTRAL_DENOMINATOR, r);
    }
    let r = (-probability.min(1.0 - probability).ln()).sqrt();
    let magnitude = if r <= 5.0 {
        polynomial(&NEAR_NUMERATOR, r - 1.6) / polynomial(&NEAR_DENOMINATOR, r - 1.6)
    } else {
        polynomial(&FAR_NUMERATOR, r - 5.0) / polynomial(&FAR_DENOMINATOR, r - 5.0)
    };
    magnitude.copysign(centred)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_drawn_in_equal_shares() {
        let sample = Sample::new(vec![3.0, 1.0, 2.0, 2.0]);
        let drawn: Vec<f64> = (0..8).map(|step| sample.quantile(f64::from(step) / 8.0)).collect();
        assert_eq!(drawn, [1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0]);
    }

    #[test]
    fn an_observed_value_maps_to_itself() {
        let sample = Sample::new(vec![0.5, 0.1, 0.1, 7.0, 0.3]);
        for value in [0.5, 0.1, 7.0, 0.3] {
            for uniform in [0.0, 0.4, 0.999_999] {
                let u = sample.share_of(value).position(uniform);
                assert_eq!(sample.quantile(u).to_bits(), value.to_bits());
            }
        }
    }

    #[test]
    fn values_are_drawn_in_proportion_to_their_weights() {
        let sample = Sample::weighted(vec![(3.0, 1.0), (1.0, 2.0), (2.0, 4.0), (2.0, 1.0)]);
        let drawn: Vec<f64> = (0..8).map(|step| sample.quantile(f64::from(step) / 8.0)).collect();
        assert_eq!(drawn, [1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 3.0]);
        for value in [1.0, 2.0, 3.0] {
            for uniform in [0.0, 0.4, 0.999_999] {
                let u = sample.share_of(value).position(uniform);
                assert_eq!(sample.quantile(u).to_bits(), value.to_bits());
            }
        }
    }

    #[test]
    fn equal_weights_are_none() {
        let weighted = Sample::weighted(vec![(3.0, 7.5), (1.0, 7.5), (2.0, 7.5)]);
        let plain = Sample::new(vec![3.0, 1.0, 2.0]);
        for step in 0..100 {
            let u = f64::from(step) / 100.0;
            assert_eq!(weighted.quantile(u).to_bits(), plain.quantile(u).to_bits());
        }
    }

    #[test]
    fn normal_quantiles_match_tables() {
        // Values of the standard normal distribution to 15 digits.
        for (probability, expected) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.95, 1.644_853_626_951_472_2),
            (0.001, -3.090_232_306_167_813),
            (1e-12, -7.034_483_825_0),
        ] {
            let found = inverse_normal(probability);
            assert!((found - expected).abs() < 1e-9, "{probability}: {found}");
        }
    }
}
