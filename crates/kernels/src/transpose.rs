//! Rows for columns, four at a time, with shuffles that every machine of an architecture has.

use super::arch::{LANES, Quads};

/// Value `j` of row `i` becomes value `i` of row `j`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn transpose(x: [&[f32; 4]; 4]) -> [[f32; 4]; 4] {
    use std::arch::x86_64::*;

    let mut out = [[0.0; 4]; 4];
    // SAFETY: every x86-64 machine has SSE; each row has four values.
    unsafe {
        let [a, b, c, d] = [
            _mm_loadu_ps(x[0].as_ptr()),
            _mm_loadu_ps(x[1].as_ptr()),
            _mm_loadu_ps(x[2].as_ptr()),
            _mm_loadu_ps(x[3].as_ptr()),
        ];
        let (ab_low, ab_high) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
        _mm_storeu_ps(out[0].as_mut_ptr(), _mm_movelh_ps(ab_low, cd_low));
        _mm_storeu_ps(out[1].as_mut_ptr(), _mm_movehl_ps(cd_low, ab_low));
        _mm_storeu_ps(out[2].as_mut_ptr(), _mm_movelh_ps(ab_high, cd_high));
        _mm_storeu_ps(out[3].as_mut_ptr(), _mm_movehl_ps(cd_high, ab_high));
    }
    out
}

/// Value `j` of row `i` becomes value `i` of row `j`.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(super) fn transpose(x: [&[f32; 4]; 4]) -> [[f32; 4]; 4] {
    use std::arch::aarch64::*;

    let mut out = [[0.0; 4]; 4];
    // SAFETY: every aarch64 machine that std runs on has NEON; each row has four values, and there
    // are sixteen of them.
    unsafe {
        let rows = x.map(|x| vld1q_f32(x.as_ptr()));
        let rows = float32x4x4_t(rows[0], rows[1], rows[2], rows[3]);
        vst4q_f32(out.as_mut_ptr().cast(), rows);
    }
    out
}

/// Value `j` of row `i` becomes value `i` of row `j`.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
pub(super) fn transpose(x: [&[f32; 4]; 4]) -> [[f32; 4]; 4] {
    let mut out = [[0.0; 4]; 4];
    for (j, out) in out.iter_mut().enumerate() {
        for (out, x) in out.iter_mut().zip(x) {
            *out = x[j];
        }
    }
    out
}

/// Byte `i` of each row becomes quad `i`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn interleave(x: [&[u8; LANES]; 4], out: &mut Quads) {
    use std::arch::x86_64::*;

    // SAFETY: every x86-64 machine has SSE2; each row has sixteen bytes, and there are 64 of them.
    unsafe {
        let [a, b, c, d] = [
            _mm_loadu_si128(x[0].as_ptr().cast()),
            _mm_loadu_si128(x[1].as_ptr().cast()),
            _mm_loadu_si128(x[2].as_ptr().cast()),
            _mm_loadu_si128(x[3].as_ptr().cast()),
        ];
        let (ab_low, ab_high) = (_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b));
        let (cd_low, cd_high) = (_mm_unpacklo_epi8(c, d), _mm_unpackhi_epi8(c, d));
        let place = out.as_mut_ptr().cast::<__m128i>();
        _mm_storeu_si128(place, _mm_unpacklo_epi16(ab_low, cd_low));
        _mm_storeu_si128(place.add(1), _mm_unpackhi_epi16(ab_low, cd_low));
        _mm_storeu_si128(place.add(2), _mm_unpacklo_epi16(ab_high, cd_high));
        _mm_storeu_si128(place.add(3), _mm_unpackhi_epi16(ab_high, cd_high));
    }
}

/// Byte `i` of each row becomes quad `i`.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(super) fn interleave(x: [&[u8; LANES]; 4], out: &mut Quads) {
    use std::arch::aarch64::*;

    // SAFETY: as above; each row has sixteen bytes, and there is room for 64 of them.
    unsafe {
        let rows = x.map(|x| vld1q_u8(x.as_ptr()));
        let rows = uint8x16x4_t(rows[0], rows[1], rows[2], rows[3]);
        vst4q_u8(out.as_mut_ptr().cast(), rows);
    }
}

/// Byte `i` of each row becomes quad `i`.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
pub(super) fn interleave(x: [&[u8; LANES]; 4], out: &mut Quads) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = [x[0][i], x[1][i], x[2][i], x[3][i]];
    }
}
