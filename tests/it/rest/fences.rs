//! Fences: a number with every grant, by which alone that grant can be given up.

use crate::support::{Served, SessionInfo};

#[tokio::test]
async fn fences_come_with_grants_and_confirmations_and_only_rise() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    let mut two = SessionInfo::open(server.address, "two").await;
    one.issue("work", "t", "").await;
    let mut last = 0;
    for round in 0..20 {
        let info = if round % 2 == 0 { &mut one } else { &mut two };
        for (take, give) in [
            ("POST /locks/db", "DELETE /locks/db"),
            ("POST /claims/work", "DELETE /claims/work?name=t"),
            ("POST /claims/work?name=t", "DELETE /claims/work?name=t"),
            ("POST /locks/db?wait=1000", "DELETE /locks/db"),
        ] {
            let fence = info.ask(take).await.fence();
            assert!(last < fence && fence < 1 << 53, "{fence} after {last}");
            assert_eq!(info.ask(take).await.fence(), fence, "confirmed, not granted anew");
            last = fence;
            info.ask(give).await;
        }
    }
    let fence = one.ask("POST /claims/work").await.fence();
    assert_eq!(one.ask("GET /claims/work?name=t").await.fence(), fence);
    for request in ["GET /claims/work?name=t", "POST /claims/work", "POST /claims/work?name=t"] {
        assert_eq!(two.ask(request).await.header("ticketd-fence"), "", "{request}");
    }
}

#[tokio::test]
async fn a_stale_fence_gives_no_lock_up() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    let mut two = SessionInfo::open(server.address, "two").await;
    let stale = one.ask("POST /locks/db").await.fence();
    let delete = format!("DELETE /locks/db?fence={stale}");
    assert_eq!(two.ask(&delete).await.status, 404, "the fence of another");
    assert_eq!(one.says(&delete).await, "200 \"ok\"");
    let fresh = one.ask("POST /locks/db").await.fence();
    assert_eq!(one.ask(&delete).await.status, 404);
    assert_eq!(two.says("POST /locks/db").await, "200 false");
    assert_eq!(one.says(&format!("DELETE /locks/db?fence={fresh}")).await, "200 \"ok\"");
    assert_eq!(two.says("POST /locks/db").await, "200 true");
}

#[tokio::test]
async fn a_stale_fence_releases_no_claim() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    one.issue("work", "t", "").await;
    let stale = one.ask("POST /claims/work").await.fence();
    let delete = format!("DELETE /claims/work?name=t&fence={stale}");
    assert_eq!(one.says(&delete).await, "200 \"Ok\"");
    assert_eq!(one.says("GET /claims/work?name=t").await, "200 false");
    let fresh = one.ask("POST /claims/work").await.fence();
    assert_eq!(one.says(&delete).await, "200 \"Ok\"", "said so");
    assert_eq!(one.says("GET /claims/work?name=t").await, "200 true", "but not done");
    let delete = format!("DELETE /claims/work?name=t&fence={fresh}");
    assert_eq!(one.says(&delete).await, "200 \"Ok\"");
    assert_eq!(one.says("GET /claims/work?name=t").await, "200 false");
}

#[tokio::test]
async fn what_is_no_fence_is_refused_before_anything_is_done() {
    let server = Served::start().await;
    let mut one = SessionInfo::open(server.address, "one").await;
    one.issue("work", "t", "").await;
    one.ask("POST /locks/db").await;
    one.ask("POST /claims/work").await;
    for fence in ["-1", "x", "1.5", "9007199254740992", "99999999999999999999999", "0x1"] {
        for request in ["DELETE /locks/db?", "DELETE /claims/work?name=t&"] {
            let answer = one.ask(&format!("{request}fence={fence}")).await;
            assert_eq!(answer.said(), "422 fence must be an integer below 2^53", "{fence}");
        }
    }
    assert_eq!(one.says("GET /claims/work?name=t").await, "200 true");
    assert_eq!(one.says("DELETE /locks/db?fence=9007199254740991").await, "404 held by another");
    assert_eq!(one.says("DELETE /locks/db").await, "200 \"ok\"");
}
