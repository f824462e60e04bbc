/// An account at a bank.
pub trait Account<C: Currency>: Named {
    /// Adds `amount` and returns the new balance.
    async fn deposit(&self, amount: C, memo: &str) -> Result<C, BankError>;
    #[cfg(feature = "audit")]
    #[idempotent]
    #[no_cancel]
    async fn audit(&self) -> Result<(), BankError> {
        Ok(())
    }
}
