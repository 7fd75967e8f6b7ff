//! The whole story, over real gRPC: a store orders, receives in parts, completes, and the back order
//! that follows is delivered and completed too.
//!
//! `cargo run --example story` starts a service of its own on a free port, with a database in a
//! temporary folder, and tells what each person does and sees.

#![expect(clippy::print_stdout, reason = "the example tells its story on standard output")]
#![expect(clippy::disallowed_methods, reason = "a client makes its own request ids")]

mod cast;
mod plot;
mod show;
mod table;

use std::error::Error;
use std::path::Path;

use purchase_order_service::config::ServeConfig;
use purchase_order_service::repository::url::DatabaseUrl;
use purchase_order_service::server::{Parts, Server};
use tokio::net::TcpListener;

use crate::cast::Cast;

/// What a step of the story ends with.
type Told<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Told<()> {
    let folder = tempfile::tempdir()?;
    let server = start(folder.path()).await?;
    println!("A purchase order service listens on {}.", server.local_addr());
    let told = tell(&server).await;
    server.stop().await;
    told
}

async fn start(folder: &Path) -> Told<Server> {
    let database: DatabaseUrl = format!("sqlite:{}", folder.join("story.sqlite").display()).parse()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok(Server::start(listener, &ServeConfig::new(database), Parts::default()).await?)
}

async fn tell(server: &Server) -> Told<()> {
    let cast = Cast::connect(server.local_addr()).await?;
    plot::open_the_store(&cast).await?;
    let order = plot::order(&cast).await?;
    plot::stock(&cast, "The stock before anything has come").await?;
    plot::receive_in_part(&cast, &order).await?;
    plot::stock(&cast, "The stock while the delivery is staged").await?;
    plot::bob_tries_to_complete(&cast, &order).await?;
    plot::look_before_choosing(&cast, &order).await?;
    let back_order = plot::choose_and_complete(&cast, &order).await?;
    plot::stock(&cast, "The stock after the completion").await?;
    plot::second_delivery(&cast, &back_order).await?;
    plot::complete_the_back_order(&cast, &back_order).await?;
    plot::stock(&cast, "The stock at the end").await?;
    plot::ledger(&cast).await?;
    plot::roll_up(&cast, &back_order).await
}
