//! `checkpoint = 40ep`: the state of its pretraining that a row scores.

use super::Checker;
use super::record::Record;
use crate::catalog;
use crate::codes;
use crate::hir::Pretrain;
use grammar::diagnostic::Diagnostic;
use std::rc::Rc;

impl<'a> Checker<'a> {
    /// The epoch after which the weights are read; `None` is the end of the run, whether it is named or not, so that both are one
    /// stage. 0 is the state before the first step.
    ///
    /// `pretrain` is what `record` closes to. A profile that shortens the run keeps the share of it, rounded up: of 3 epochs
    /// instead of 100, `10ep` is the first and `100ep` the last.
    ///
    /// # Errors
    ///
    /// A mistake that is reported: no count of epochs, or E0708 behind the end of the run.
    pub(super) fn checkpoint(
        &mut self,
        record: &Rc<Record<'a>>,
        pretrain: &Pretrain,
    ) -> Result<Option<u32>, ()> {
        let Some(slot) = record.slot("checkpoint") else {
            return Ok(None);
        };
        let epoch = self.whole(&slot, &catalog::CHECKPOINT).ok_or(())?;
        let length = record.slot("ep").ok_or(())?;
        let ep = self.whole(&length, &catalog::EPOCH_COUNT).ok_or(())?;
        if epoch > ep {
            let message = format!("there is no state after {epoch}ep: the run ends at {ep}ep");
            let mut diagnostic = Diagnostic::error(codes::BEHIND_THE_END, slot.span(), message)
                .help(format!(
                    "name an earlier state, or leave `checkpoint` out to score the end, `{ep}ep`"
                ));
            if let Some(place) = record.entry("ep").and_then(|entry| entry.places.last()) {
                diagnostic = diagnostic.label(*place, "the run ends here");
            }
            self.report(&slot.env, diagnostic);
            return Err(());
        }
        let own = u64::from(pretrain.ep);
        let kept = (epoch * own).div_ceil(ep.max(1));
        Ok(u32::try_from(kept).ok().filter(|kept| *kept != pretrain.ep))
    }
}
