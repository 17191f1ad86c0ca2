use pairgate::select::clusters::{Complexity, Member, Rule, inter, prune};

/// Angles of the members of three clusters in the plane, and of the centroids.
const MEMBERS: [&[f64]; 3] =
    [&[-20.0, -11.0, -5.0, 4.0, 10.0, 21.0], &[85.0, 88.0, 93.0, 94.0], &[150.0, 211.0]];
const CENTRES: [f64; 3] = [0.0, 90.0, 180.0];

fn cosine(a: f64, b: f64) -> f64 {
    (a - b).to_radians().cos()
}

fn members() -> Vec<Member> {
    let mut members = Vec::new();
    for (cluster, angles) in MEMBERS.iter().enumerate() {
        for angle in *angles {
            let distance = (1.0 - cosine(*angle, CENTRES[cluster])) as f32;
            members.push(Member { row: members.len() as u32, cluster: cluster as u32, distance });
        }
    }
    members
}

fn rule(temperature: f64) -> Rule {
    // 9 of 12.
    Rule { keep: 0.75, temperature, balance: 0.5, neighbours: 2 }
}

fn similarity(a: usize, b: usize) -> f64 {
    cosine(CENTRES[a], CENTRES[b])
}

fn close(found: &[f64], wanted: &[f64], within: f64) {
    let off = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(off <= within, "{found:?}, not {wanted:?}");
}

#[test]
fn complexity_is_how_wide_times_how_far() {
    let of = |cluster: usize| {
        let own: Vec<f64> =
            MEMBERS[cluster].iter().map(|angle| 1.0 - cosine(*angle, CENTRES[cluster])).collect();
        own.iter().sum::<f64>() / own.len() as f64
    };
    let intra: Vec<f64> = (0..3).map(of).collect();
    close(&intra, &[0.02776, 0.00206, 0.13840], 6e-6);
    let inter = inter(similarity, 3, 20);
    close(&inter, &[1.5, 1.0, 1.5], 1e-12);
    let sharp = Complexity::of(intra.clone(), inter.clone(), 0.1);
    close(&sharp.shares, &[0.1443, 0.0971, 0.7586], 6e-5);
    close(&Complexity::of(intra, inter, 0.5).shares, &[0.3014, 0.2785, 0.4201], 6e-5);
}

#[test]
fn the_farthest_of_each_are_kept() {
    for temperature in [0.1, 0.5] {
        let pruned = prune(&mut members(), similarity, 3, rule(temperature)).unwrap();
        assert_eq!(pruned.quotas, [4, 3, 2]);
        // 21, -20, -11, 10; 85, 94, 93; both.
        assert_eq!(pruned.kept, [0, 1, 4, 5, 6, 8, 9, 10, 11]);
        let nearest: Vec<f64> = pruned.nearest_kept.iter().map(|cut| f64::from(*cut)).collect();
        close(&nearest, &[0.015192, 0.001370, 0.133975], 6e-7);
        // A cluster of which all are kept keeps all that come.
        assert_eq!(pruned.cuts()[2], 0.0);
    }
}

#[test]
fn clusters_without_members_count_as_the_others() {
    let shares = Complexity::of(vec![0.2, f64::NAN, 0.4], vec![1.0; 3], 1.0).shares;
    assert!(
        (shares[1] - Complexity::of(vec![0.2, 0.3, 0.4], vec![1.0; 3], 1.0).shares[1]).abs()
            < 1e-12
    );
    let alone = Complexity::of(vec![0.2], inter(|_, _| 1.0, 1, 20), 0.1).shares;
    assert!(alone[0].is_nan() || alone == [1.0]);
    let mut few = members();
    let pruned = prune(&mut few, |a, b| similarity(a % 3, b % 3), 5, rule(0.1)).unwrap();
    assert_eq!(pruned.kept.len(), 9);
    assert_eq!((pruned.quotas[3], pruned.quotas[4]), (0, 0));
    assert!(pruned.nearest_kept[3].is_infinite());
}

#[test]
fn fewer_than_there_are_clusters_can_be_kept() {
    let one = Rule { keep: 0.1, ..rule(0.1) };
    assert_eq!(prune(&mut members(), similarity, 3, one).unwrap().kept.len(), 1);
}
