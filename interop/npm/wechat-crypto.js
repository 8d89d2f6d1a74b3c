'use strict';

// The package wechat-crypto as a script of steps.
const WXBizMsgCrypt = require('wechat-crypto');
const { steps, setting } = require('./lib/steps');

const crypt = new WXBizMsgCrypt(setting('TOKEN'), setting('AES_KEY'), setting('APPID'));

steps({
  open: async (m) => ({ signature: crypt.getSignature(m.timestamp, m.nonce, m.encrypt), ...crypt.decrypt(m.encrypt) }),
  seal: async (m) => {
    const encrypt = crypt.encrypt(m.message);
    return { encrypt, signature: crypt.getSignature(m.timestamp, m.nonce, encrypt) };
  },
});
