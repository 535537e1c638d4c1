//! With what an embedding is compared where a drawing asks whether two modalities agree.

use crate::hir::{Modality, Pretrain};
use crate::loss::{Embedding, EmbeddingOp};

/// The modality with whose embedding that of `uses` is compared: the first other one in the order of the file whose encoder the loss calls,
/// if it makes as many values.
///
/// # Errors
/// Why there is none, in words; a plan has no drawing that compares then.
pub fn partner<'p>(settings: &'p Pretrain, uses: &str) -> Result<&'p Modality, String> {
    let embeddings = || settings.loss.terms.iter().flat_map(|(term, _)| &term.args);
    let is_called = |group: &str| {
        let mut operators = embeddings().flat_map(Embedding::operators);
        operators.any(|op| matches!(op, EmbeddingOp::Encode(called) if called == group))
    };
    let is_trained = |modality: &&Modality| {
        let own = format!("{}.f", modality.name);
        is_called(modality.f.same.as_ref().unwrap_or(&own))
    };
    let mut others = settings.modalities.iter().filter(|m| m.name != uses);
    let Some(other) = others.find(is_trained) else {
        return Err(format!(
            "this row trains `{uses}` alone, and there is nothing to agree with"
        ));
    };
    let width = |modality: &Modality| modality.f.width();
    match settings.modality(uses).and_then(width).zip(width(other)) {
        Some((own, others)) if own != others => Err(format!(
            "embeddings of `{uses}` have {own} values and those of `{}` have {others}, so they cannot agree",
            other.name
        )),
        Some(_) | None => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{ALL, crisscross, pairs};
    use crate::hir::Layer;

    #[test]
    fn the_partner_is_trained_and_makes_as_many_values() {
        let mut settings = crisscross(pairs(&ALL));
        assert_eq!(partner(&settings, "v").unwrap().name, "a");
        assert_eq!(partner(&settings, "a").unwrap().name, "v");
        settings.modalities[1].f.layers.push(Layer::Fc { width: 7 });
        let message = partner(&settings, "v").unwrap_err();
        assert!(message.contains("those of `a` have 7"), "{message}");
        let alone = crisscross(pairs(&["v1v2"]));
        assert_eq!(
            partner(&alone, "v").unwrap_err(),
            "this row trains `v` alone, and there is nothing to agree with"
        );
    }
}
