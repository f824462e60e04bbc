use rmi::remote;

#[remote]
struct Account {
    balance: u64,
}

#[remote]
impl Account {
    async fn deposit(&self) {}
}

fn main() {
    let account = Account { balance: 0 };
    let _ = (account.balance, account.deposit());
}
