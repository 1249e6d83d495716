//! Choices that are the same on every machine and with every version of a library.

pub use tests::random::Random;

/// The weight that a text has for a number: of several texts the heaviest one is a choice, and it stays the same one when
/// others come or go.
#[must_use]
pub fn weight(number: u64, text: impl ToString) -> u64 {
    // FNV-1a.
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    let hashed = text.to_string().bytes().fold(0xCBF2_9CE4_8422_2325, hash);
    Random(Random(number).draw() ^ hashed).draw()
}

#[test]
fn a_choice_by_weight_differs_by_its_number_and_stays_when_another_text_goes() {
    let texts: Vec<String> = (0..20).map(|text| format!("get:services/edge:{text}")).collect();
    let chosen = |number: u64, texts: &[String]| texts.iter().max_by_key(|text| weight(number, text)).cloned();
    let all: std::collections::BTreeSet<_> = (0..100).map(|number| chosen(number, &texts)).collect();
    assert!(all.len() > 15, "{} of 20 are chosen by 100 numbers", all.len());
    let first = chosen(7, &texts);
    let fewer: Vec<String> =
        texts.iter().filter(|text| text.ends_with('3') || Some(*text) == first.as_ref()).cloned().collect();
    assert_eq!(chosen(7, &fewer), first);
}
