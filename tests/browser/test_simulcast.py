"""A browser that sends its camera in several sizes, the smallest named first."""

import httpx
import pytest

pytestmark = [pytest.mark.models, pytest.mark.timeout(180)]

WIDTH = 960
PUBLISH = """async ([url, token, layers, codec]) => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 960, height: 540});
    const context = canvas.getContext('2d');
    let number = 0;
    setInterval(() => {
        context.fillStyle = `hsl(${number++ % 360}, 80%, 50%)`;
        context.fillRect(0, 0, canvas.width, canvas.height);
    }, 200);
    const [track] = canvas.captureStream(5).getVideoTracks();
    track.contentHint = 'detail';  // a busy machine may take from the rate, not from the size
    const pc = window.pc = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
    const sendEncodings = layers.map(([rid, scaleResolutionDownBy]) => ({rid, scaleResolutionDownBy}));
    const transceiver = pc.addTransceiver(track, {direction: 'sendonly', sendEncodings});
    const known = RTCRtpSender.getCapabilities('video').codecs;
    const first = known.filter(each => each.mimeType === codec);
    transceiver.setCodecPreferences([...first, ...known.filter(each => each.mimeType !== codec)]);
    pc.createDataChannel('chat');
    await pc.setLocalDescription();
    await new Promise(resolve => {
        pc.onicegatheringstatechange = () => { if (pc.iceGatheringState === 'complete') resolve(); };
        setTimeout(resolve, 3000);
    });
    const answer = await fetch(url, {
        method: 'POST',
        body: pc.localDescription.sdp,
        headers: {'Content-Type': 'application/sdp', 'Authorization': `Bearer ${token}`},
    });
    const sdp = await answer.text();
    if (answer.status === 201) await pc.setRemoteDescription({type: 'answer', sdp});
    return [answer.status, sdp];
}"""
LAYERS_SENT = """async () => {
    const sent = {};
    (await window.pc.getStats()).forEach(each => {
        const isSent = each.type === 'outbound-rtp' && each.framesPerSecond > 0 && each.frameWidth;
        if (isSent) sent[each.rid] = each.frameWidth;
    });
    return sent;
}"""


@pytest.mark.parametrize(
    ("layers", "codec"),
    [
        pytest.param([["q", 4], ["h", 2], ["f", 1]], "video/VP8", id="VP8, the smallest first"),
        pytest.param([["f", 1], ["h", 2]], "video/H264", id="H.264, the largest first"),
    ],
)
def test_viewers_get_the_largest_layer(viewer, server, layers, codec):
    made = httpx.post(f"{server.address}/api/broadcasts", json={}, timeout=60).json()
    page = viewer  # any page of the server's may publish
    page.goto(f"{server.address}/api/health")
    whip_url = f"{server.address}{made['whip_url']}"
    status, sdp = page.evaluate(PUBLISH, [whip_url, made["token"], layers, codec])
    assert status == 201, sdp
    assert f"a=simulcast:recv {';'.join(rid for rid, _ in layers)}" in sdp
    assert "m=application 0 " in sdp, "a data channel is refused alone, and the browser takes that"
    shown = f"{server.address}/api/broadcasts/{made['id']}"
    for _ in range(100):
        sent, size = page.evaluate(LAYERS_SENT), httpx.get(shown, timeout=60).json()["size"]
        largest = sent and max(sent.values())
        if size is not None and size[0] == largest and (len(sent) == len(layers) or largest == WIDTH):
            break
        page.wait_for_timeout(250)
    # A browser that takes its line or its machine for narrow leaves the larger ones out.
    assert size is not None, sent
    assert size[0] == largest, "of what is sent, the largest goes on"
    httpx.delete(shown, headers={"Authorization": f"Bearer {made['token']}"}, timeout=60)
