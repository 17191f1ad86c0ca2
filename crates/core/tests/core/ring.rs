//! The capture ring.

use pairgate_core::ring::Ring;

#[test]
fn full_ring_hands_the_item_back_and_counts_it() {
    let mut ring = Ring::<u8, 4>::new();
    let (mut capture, mut intake) = ring.split();
    let results: Vec<_> = (0..5).map(|i| capture.push(i)).collect();
    assert_eq!(results, [Ok(()), Ok(()), Ok(()), Err(3), Err(4)]);
    assert_eq!(intake.refused(), 2);
    assert_eq!(std::iter::from_fn(|| intake.pop()).collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn every_item_arrives_once_and_in_order_across_threads() {
    let mut ring = Ring::<u32, 8>::new();
    let (mut capture, mut intake) = ring.split();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for item in 0..20_000 {
                while capture.push(item).is_err() {
                    std::thread::yield_now();
                }
            }
        });
        for expected in 0..20_000 {
            let item = std::iter::repeat_with(|| {
                std::thread::yield_now();
                intake.pop()
            });
            assert_eq!(item.flatten().next(), Some(expected));
        }
    });
}
