// Written by: llcphone unit pm2   (pm2 start ecosystem.config.cjs; pm2 save)
module.exports = {
  apps: [
    {
      name: ${name},
      script: ${program},
      args: ${arguments},
      cwd: ${folder},
      interpreter: "none",
      // One process: two would share the port, and calls would go astray.
      exec_mode: "fork",
      instances: 1,
      autorestart: true,
      restart_delay: 1000,
      // SIGTERM drains: live calls get drain.limit_s (${drain} s), and this is beyond it.
      kill_timeout: ${kill_ms},
      shutdown_with_message: false,
    },
  ],
};
