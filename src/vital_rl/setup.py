from setuptools import find_packages, setup

package_name = "vital_rl"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["py.typed"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    entry_points={
        "console_scripts": [
            "train_residual = vital_rl.learner.train_residual:main",
            "learning_curve = vital_rl.learner.curves:main",
            "replay_node = vital_rl.replay.replay_node:main",
            "policy_node = vital_rl.acting.policy_node:main",
            "learner_node = vital_rl.learner.learner_node:main",
            "residual_card = vital_rl.residual.residual_card:main",
            "convert_residuals = vital_rl.residual.convert_residuals:main",
        ],
        "vital.policies": ["local = vital_rl.acting.evaluated:load"],
    },
    maintainer="ViTaL developers",
    maintainer_email="vital@example.org",
    license="Apache-2.0",
)
