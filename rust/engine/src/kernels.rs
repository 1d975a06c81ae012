//! The loops over lanes, compiled twice: for every processor, and with AVX2 for those that have it.
//!
//! Every lane is computed by the same operations in the same order in both, and nothing is contracted to fused
//! multiply-adds, so results are the same bit by bit wherever they are computed. The choice is made at run time, because
//! a wheel is built for the oldest processor that it must run on.

// The only unsafe code of the engine: calls of functions that were compiled for instructions whose presence was tested.
#![allow(unsafe_code)]

/// Defines loops that are compiled for the oldest processor and again for AVX2.
macro_rules! loops {
    ($($(#[$attribute:meta])* fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block)*) => {
        mod plain {
            $(
                #[inline(always)]
                pub fn $name($($argument: $type),*) $(-> $result)? $body
            )*
        }

        #[cfg(target_arch = "x86_64")]
        mod wide {
            $(
                #[target_feature(enable = "avx2")]
                pub unsafe fn $name($($argument: $type),*) $(-> $result)? {
                    super::plain::$name($($argument),*)
                }
            )*
        }

        $(
            $(#[$attribute])*
            pub fn $name($($argument: $type),*) $(-> $result)? {
                #[cfg(target_arch = "x86_64")]
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has what the function was compiled for.
                    return unsafe { wide::$name($($argument),*) };
                }
                plain::$name($($argument),*)
            }
        )*
    };
}

// Maxima over what is stored already are `f32::max`, although it takes three instructions to respect NaN: a comparison
// written out becomes a store under a mask, which takes many times as long on processors of AMD.
loops! {
    /// Arrivals over an edge that leaves a fraction of the way through its node: begun + offset * took + travel, the
    /// travel being `seconds + shift` and never below zero.
    fn arrive(arrivals: &mut [f32], begun: &[f32], offset: &[f32], took: &[f32], seconds: &[f32], shift: f32) {
        let count = arrivals.len();
        let (begun, offset, took, seconds) = (&begun[..count], &offset[..count], &took[..count], &seconds[..count]);
        for lane in 0..count {
            let travel = seconds[lane] + shift;
            arrivals[lane] = begun[lane] + offset[lane] * took[lane] + if travel > 0.0 { travel } else { 0.0 };
        }
    }

    /// Raises lanes to at least other values.
    fn raise(highest: &mut [f32], values: &[f32]) {
        for (highest, &value) in highest.iter_mut().zip(values) {
            *highest = highest.max(value);
        }
    }

    /// Raises lanes to at least `start + took`.
    fn finish(latest: &mut [f32], start: &[f32], took: &[f32]) {
        for ((latest, start), took) in latest.iter_mut().zip(start).zip(took) {
            let end = start + took;
            *latest = latest.max(end);
        }
    }

    /// The same where a node may be absent: minus infinity in `absent` keeps it out.
    fn finish_present(latest: &mut [f32], start: &[f32], took: &[f32], absent: &[f32]) {
        for (((latest, start), took), absent) in latest.iter_mut().zip(start).zip(took).zip(absent) {
            let end = start + took + absent;
            *latest = latest.max(end);
        }
    }

    /// Adds a column.
    fn add(sum: &mut [f32], column: &[f32]) {
        for (sum, value) in sum.iter_mut().zip(column) {
            *sum += value;
        }
    }

    /// Adds a constant.
    fn add_constant(sum: &mut [f32], constant: f32) {
        for sum in sum.iter_mut() {
            *sum += constant;
        }
    }

    /// Adds a column times a factor.
    fn add_scaled(sum: &mut [f32], column: &[f32], factor: f32) {
        for (sum, value) in sum.iter_mut().zip(column) {
            *sum += value * factor;
        }
    }

    /// Adds what is waited for, `trips * added + fixed` but not below zero, times a rate; nothing where no trip is.
    fn add_waiting(sum: &mut [f32], trips: &[f32], fixed: &[f32], added: f32, rate: f32) {
        for ((sum, trips), fixed) in sum.iter_mut().zip(trips).zip(fixed) {
            let waited = trips * added + fixed;
            *sum += if waited > 0.0 { waited } else { 0.0 } * rate;
        }
    }

    /// Adds the product of two columns and a factor.
    fn add_product(sum: &mut [f32], first: &[f32], second: &[f32], factor: f32) {
        for ((sum, first), second) in sum.iter_mut().zip(first).zip(second) {
            *sum += first * second * factor;
        }
    }

    /// Lowers lanes to at most other values.
    fn lower(least: &mut [f32], column: &[f32]) {
        for (least, &value) in least.iter_mut().zip(column) {
            *least = least.min(value);
        }
    }

    /// Lowers lanes to at most `seconds + shift`.
    fn lower_shifted(least: &mut [f32], seconds: &[f32], shift: f32) {
        for (least, &seconds) in least.iter_mut().zip(seconds) {
            let value = seconds + shift;
            *least = least.min(value);
        }
    }

    /// How many lanes are at most a threshold.
    fn count_within(lanes: &[f32], threshold: f32) -> usize {
        let mut count = 0_usize;
        // Few enough per chunk for the count of a lane to fit where the comparison is made.
        for chunk in lanes.chunks(1 << 12) {
            let within: u32 = chunk.iter().map(|&value| u32::from(value <= threshold)).sum();
            count += within as usize;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(seed: u32, count: usize) -> Vec<f32> {
        let value =
            |index: u32| (index.wrapping_mul(2_654_435_761).wrapping_add(seed.wrapping_mul(40_503)) >> 8) as f32;
        (0..count as u32).map(|index| value(index) / 1e6 - 4.0).collect()
    }

    /// Whichever is chosen at run time, it is what the plain loops give, also for lanes beyond the last full register.
    #[test]
    fn wide_loops_give_the_same_bits() {
        for count in [0, 1, 7, 8, 9, 31, 1000, 1003] {
            let (a, b, c, d) = (column(1, count), column(2, count), column(3, count), column(4, count));
            let check = |wide: &dyn Fn(&mut [f32]), plain: &dyn Fn(&mut [f32])| {
                let (mut first, mut second) = (column(5, count), column(5, count));
                wide(&mut first);
                plain(&mut second);
                let bits = |lanes: &[f32]| lanes.iter().map(|lane| lane.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&first), bits(&second));
            };
            check(&|x| arrive(x, &a, &b, &c, &d, 0.3), &|x| plain::arrive(x, &a, &b, &c, &d, 0.3));
            check(&|x| raise(x, &a), &|x| plain::raise(x, &a));
            check(&|x| finish(x, &a, &b), &|x| plain::finish(x, &a, &b));
            check(&|x| finish_present(x, &a, &b, &c), &|x| plain::finish_present(x, &a, &b, &c));
            check(&|x| add(x, &a), &|x| plain::add(x, &a));
            check(&|x| add_constant(x, 0.7), &|x| plain::add_constant(x, 0.7));
            check(&|x| add_scaled(x, &a, 1.3), &|x| plain::add_scaled(x, &a, 1.3));
            check(&|x| add_product(x, &a, &b, 0.9), &|x| plain::add_product(x, &a, &b, 0.9));
            check(&|x| lower(x, &a), &|x| plain::lower(x, &a));
            check(&|x| lower_shifted(x, &a, -0.2), &|x| plain::lower_shifted(x, &a, -0.2));
            assert_eq!(count_within(&a, 0.5), a.iter().filter(|&&lane| lane <= 0.5).count());
        }
    }
}
